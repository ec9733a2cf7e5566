package androidx.test.runner.lifecycle;

/** Stands in for AndroidX Test, which Robolectric tells of what happens; nobody listens here. */
public final class ApplicationLifecycleMonitorRegistry {
    private ApplicationLifecycleMonitorRegistry() {}

    public static void registerInstance(ApplicationLifecycleMonitor monitor) {}
}
