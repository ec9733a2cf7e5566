package androidx.test.runner.intent;

import android.app.Instrumentation;
import android.content.Intent;

/** Stands in for AndroidX Test, which Robolectric tells of what happens; nobody listens here. */
public interface IntentStubber {
    /** What an activity would have answered. */
    Instrumentation.ActivityResult getActivityResultForIntent(Intent intent);
}
