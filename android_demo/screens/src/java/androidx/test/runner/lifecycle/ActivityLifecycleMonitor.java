package androidx.test.runner.lifecycle;

import android.app.Activity;
import java.util.Collection;

/** Stands in for AndroidX Test, which Robolectric tells of what happens; nobody listens here. */
public interface ActivityLifecycleMonitor {
    /** Activities in a stage. */
    Collection<Activity> getActivitiesInStage(Stage stage);
}
