package org.hsitf.demo.core;

/** How a model is run. */
public final class Settings {
    /** What computes. */
    public enum Delegate {
        XNNPACK("XNNPACK", "XNNPACK (CPU)"),
        PLAIN("CPU", "CPU without delegate"),
        GPU("GPU", "GPU"),
        NNAPI("NNAPI", "NNAPI (legacy)");

        /** In results. */
        public final String name;
        /** On the screen. */
        public final String label;

        Delegate(String name, String label) {
            this.name = name;
            this.label = label;
        }

        /** The delegate that is called so, in any case; null where there is none. */
        public static Delegate named(String name) {
            for (Delegate delegate : values()) {
                if (delegate.name.equalsIgnoreCase(name)) {
                    return delegate;
                }
            }
            return null;
        }
    }

    /** "patches" or "tiles". */
    public final String kind;
    public final Delegate delegate;
    public final int threads;

    public Settings(String kind, Delegate delegate, int threads) {
        this.kind = kind;
        this.delegate = delegate;
        this.threads = threads;
    }
}
