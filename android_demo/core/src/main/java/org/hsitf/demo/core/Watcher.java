package org.hsitf.demo.core;

/** Told how far a classification is; may end it. */
public interface Watcher {
    /**
     * @param pixels classified so far
     * @return whether to go on
     */
    boolean goesOn(int pixels);
}
