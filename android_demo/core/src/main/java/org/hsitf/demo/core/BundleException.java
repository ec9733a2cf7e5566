package org.hsitf.demo.core;

/** Something in a bundle that is not what it has to be, in words for the user. */
public final class BundleException extends Exception {
    private static final long serialVersionUID = 1;

    /**
     * @param what what is wrong, one clause without a full stop
     * @param received what was found
     * @param remedy what to do next
     */
    public BundleException(String what, Object received, String remedy) {
        super(what + "; received: " + received + "; " + remedy + ".");
    }

    static BundleException damaged(String file, Object received) {
        return new BundleException(
                file + " is damaged or not part of this bundle", received, "export it again");
    }
}
