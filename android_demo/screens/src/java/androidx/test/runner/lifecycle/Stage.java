package androidx.test.runner.lifecycle;

/** Stands in for AndroidX Test, which Robolectric tells of what happens; nobody listens here. */
public enum Stage {
    PRE_ON_CREATE,
    CREATED,
    STARTED,
    RESUMED,
    PAUSED,
    STOPPED,
    RESTARTED,
    DESTROYED
}
