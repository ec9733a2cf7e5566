package androidx.test.runner.intent;

/** Stands in for AndroidX Test, which Robolectric tells of what happens; nobody listens here. */
public interface IntentMonitor {}
