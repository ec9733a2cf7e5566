package androidx.test.runner.intent;

/** Stands in for AndroidX Test, which Robolectric tells of what happens; nobody listens here. */
public final class IntentMonitorRegistry {
    private IntentMonitorRegistry() {}

    public static void registerInstance(IntentMonitor monitor) {}
}
