package org.hsitf.demo;

/** Something to choose, or the reason why it cannot be chosen. */
final class Choice<T> {
    final T value;
    final String label;
    /** Null where it can be chosen. */
    final String missing;

    Choice(T value, String label, String missing) {
        this.value = value;
        this.label = label;
        this.missing = missing;
    }

    @Override
    public String toString() {
        return missing == null ? label : label + ": " + missing;
    }
}
