package androidx.test.runner.intent;

/** Stands in for AndroidX Test, which Robolectric tells of what happens; nobody listens here. */
public final class IntentStubberRegistry {
    private IntentStubberRegistry() {}

    public static boolean isLoaded() {
        return false;
    }

    public static IntentStubber getInstance() {
        return null;
    }
}
