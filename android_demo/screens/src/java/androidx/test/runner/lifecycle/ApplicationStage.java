package androidx.test.runner.lifecycle;

/** Stands in for AndroidX Test, which Robolectric tells of what happens; nobody listens here. */
public enum ApplicationStage {
    PRE_ON_CREATE,
    CREATED
}
