package org.hsitf.demo;

import android.content.ComponentName;
import android.content.Context;
import android.content.Intent;
import android.os.Build;
import android.util.Log;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.hsitf.demo.core.Bundle;
import org.hsitf.demo.core.BundleException;
import org.hsitf.demo.core.Form;
import org.hsitf.demo.core.GoldenVectors;
import org.hsitf.demo.core.Settings;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/**
 * Measures without touch: {@code adb shell am start -n org.hsitf.demo/.Benchmarks --ez benchmark
 * true}.
 *
 * <p>The manifest lets the shell alone start that activity; the one that anybody can start takes no
 * benchmarks.
 *
 * <p>Further extras: {@code --es id TEXT} is repeated in the result, {@code --es bundle NAME} is an
 * archive among the app's files, {@code --es delegates XNNPACK,GPU}, {@code --es threads 1,4},
 * {@code --ei seconds 30} ends a classification. The result goes to {@code files/benchmark.json}
 * and to the log with the tag {@code hsitf}.
 */
final class Benchmark {
    static final String TAG = "hsitf";
    static final String RESULT = "benchmark.json";
    /** The activity's name for those who may start benchmarks; see the manifest. */
    static final String GATE = "org.hsitf.demo.Benchmarks";
    private static final String EXTRA = "benchmark";
    private static final int SECONDS = 30;
    private static final int MOST_THREADS = 64;

    private final Context context;
    private final String id;
    private final String bundle;
    private final String delegates;
    private final String threads;
    private final int seconds;

    private Benchmark(Context context, Intent intent) {
        this.context = context;
        id = text(intent, "id", "");
        bundle = text(intent, "bundle", "");
        delegates = text(intent, "delegates", Settings.Delegate.XNNPACK.name);
        threads = text(intent, "threads", "1");
        seconds = intent.getIntExtra("seconds", SECONDS);
    }

    /** The benchmark that an intent asks for; null where it asks for none, or may not. */
    static Benchmark of(Context context, Intent intent) {
        if (intent == null || !intent.getBooleanExtra(EXTRA, false)) {
            return null;
        }
        // The system has put the activity here that was started, whose permission it has checked.
        ComponentName started = intent.getComponent();
        if (started == null || !GATE.equals(started.getClassName())) {
            Log.w(TAG, "a benchmark is started by org.hsitf.demo/.Benchmarks alone");
            return null;
        }
        return new Benchmark(context.getApplicationContext(), intent);
    }

    private static String text(Intent intent, String key, String otherwise) {
        String found = intent.getStringExtra(key);
        return found == null ? otherwise : found;
    }

    /**
     * Measures and writes; what cannot be measured is part of the result.
     *
     * @return what to show
     */
    String run(Store store) throws BundleException {
        JSONObject result = new JSONObject();
        try {
            result.put("format", 1);
            result.put("id", id);
            result.put("device", Build.MANUFACTURER + " " + Build.MODEL);
            result.put("hardware", Build.HARDWARE);
            result.put("android", Build.VERSION.RELEASE + " (API " + Build.VERSION.SDK_INT + ")");
            result.put("abi", Build.SUPPORTED_ABIS.length > 0 ? Build.SUPPORTED_ABIS[0] : "");
            result.put("cores", Runtime.getRuntime().availableProcessors());
            result.put("runtime", org.tensorflow.lite.TensorFlowLite.runtimeVersion());
            measure(store, result);
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        } catch (LinkageError error) {
            throw new BundleException(
                    "TensorFlow Lite has no library for this processor", error.getMessage(),
                    "install an APK that was built for it");
        }
        write(result.toString());
        Log.i(TAG, result.toString());
        return result.toString();
    }

    private void measure(Store store, JSONObject result) throws JSONException {
        JSONArray rows = new JSONArray();
        JSONArray refused = new JSONArray();
        result.put("rows", rows);
        result.put("refused", refused);
        try {
            Bundle measured = bundle.isEmpty() ? store.builtIn() : store.take(bundle);
            result.put("scene", measured.scene.name);
            result.put("synthetic", measured.scene.synthetic);
            for (String delegate : delegates.split(",")) {
                for (String count : threads.split(",")) {
                    for (Form form : measured.forms) {
                        try {
                            rows.put(row(measured, form.kind, delegate.trim(), count.trim()));
                        } catch (BundleException error) {
                            refused.put(error.getMessage());
                        }
                    }
                }
            }
        } catch (BundleException error) {
            refused.put(error.getMessage());
        }
    }

    private JSONObject row(Bundle measured, String kind, String delegate, String count)
            throws BundleException, JSONException {
        Settings settings = new Settings(kind, delegate(delegate), threads(count));
        Run run = new Run(measured, settings, seconds);
        TfliteEngine engine = TfliteEngine.open(run.form, settings);
        try {
            GoldenVectors golden = GoldenVectors.replay(run.form, measured.scene, engine);
            run.classify(engine);
            return run.measured(golden).json();
        } finally {
            engine.close();
        }
    }

    private static Settings.Delegate delegate(String name) throws BundleException {
        Settings.Delegate delegate = Settings.Delegate.named(name);
        if (delegate == null) {
            throw new BundleException(
                    "there is no such delegate", name, "name XNNPACK, CPU, GPU or NNAPI");
        }
        String missing = Delegates.missing(delegate);
        if (missing != null) {
            throw new BundleException(
                    delegate.label + " cannot be measured here", missing, "name another delegate");
        }
        return delegate;
    }

    private static int threads(String text) throws BundleException {
        if (!text.matches("[1-9][0-9]?") || Integer.parseInt(text) > MOST_THREADS) {
            throw new BundleException(
                    "threads are out of range", text, "name 1 to " + MOST_THREADS);
        }
        return Integer.parseInt(text);
    }

    /** Beside its place first, so that nobody reads half of it. */
    private void write(String text) throws BundleException {
        File place = new File(context.getFilesDir(), RESULT);
        File part = new File(place.getPath() + ".part");
        try (OutputStream stream = new FileOutputStream(part)) {
            stream.write(text.getBytes("UTF-8"));
        } catch (IOException error) {
            throw new BundleException(
                    "the result cannot be written", error.getMessage(), "free some space");
        }
        if (!part.renameTo(place)) {
            throw new BundleException("the result cannot be written", place, "free some space");
        }
    }
}
