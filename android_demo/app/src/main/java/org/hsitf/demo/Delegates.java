package org.hsitf.demo;

import android.os.Build;
import org.hsitf.demo.core.Settings;
import org.tensorflow.lite.gpu.CompatibilityList;

/** Which delegates this device has. */
final class Delegates {
    private Delegates() {}

    /** Why a delegate cannot be chosen here; null where it can. */
    static String missing(Settings.Delegate delegate) {
        switch (delegate) {
            case GPU:
                return gpu();
            case NNAPI:
                return Build.VERSION.SDK_INT < 27
                        ? "needs Android 8.1"
                        : null;
            default:
                return null;
        }
    }

    private static String gpu() {
        try (CompatibilityList list = new CompatibilityList()) {
            return list.isDelegateSupportedOnThisDevice()
                    ? null
                    : "this GPU is not on TensorFlow Lite's list";
        } catch (RuntimeException | LinkageError error) {
            // The library needs OpenGL ES 3.1, whose absence shows when it is loaded.
            return "its library cannot be loaded";
        }
    }
}
