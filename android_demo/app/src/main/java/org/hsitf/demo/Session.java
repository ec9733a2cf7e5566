package org.hsitf.demo;

import android.content.Context;
import android.net.Uri;
import android.os.Handler;
import android.os.Looper;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.hsitf.demo.core.Bundle;
import org.hsitf.demo.core.BundleException;
import org.hsitf.demo.core.GoldenVectors;
import org.hsitf.demo.core.Settings;

/**
 * What the app works on: a bundle, a classification, a message that waits to be read. It belongs
 * to the main thread; one other thread does the work and posts what came of it.
 */
final class Session {
    /** Told on the main thread that something is different. */
    interface Listener {
        void changed();
    }

    private interface Work {
        void run() throws BundleException;
    }

    private final Store store;
    private final Handler main = new Handler(Looper.getMainLooper());
    private final ExecutorService worker = Executors.newSingleThreadExecutor();
    private Listener listener;
    private Bundle bundle;
    private Run run;
    private String busy;
    private String problem;
    private String news;

    Session(Context context) {
        store = new Store(context);
    }

    void listen(Listener changed) {
        listener = changed;
    }

    /** Null while none is open. */
    Bundle bundle() {
        return bundle;
    }

    /** The last classification, done or not; null before the first. */
    Run run() {
        return run;
    }

    /** What is being done; null where nothing is. */
    String busy() {
        return busy;
    }

    /** What went wrong; stays until it was read. */
    String problem() {
        return problem;
    }

    /** What a self-test came to; stays until it was read. */
    String news() {
        return news;
    }

    void read() {
        problem = null;
        news = null;
    }

    /** Closes a bundle that cannot be shown, with the reason. */
    void refuse(String reason) {
        bundle = null;
        run = null;
        problem = reason;
    }

    /** Opens the bundle that was chosen last, or the app's own. */
    void open(String doing) {
        start(
                doing,
                new Work() {
                    @Override
                    public void run() throws BundleException {
                        Bundle found;
                        try {
                            found = store.chosen();
                        } catch (BundleException damaged) {
                            store.forget();
                            report(damaged);
                            found = null;
                        }
                        show(found == null ? store.builtIn() : found);
                    }
                });
    }

    /** Takes over the bundle that the user chose. */
    void take(final Uri uri, String doing) {
        start(
                doing,
                new Work() {
                    @Override
                    public void run() throws BundleException {
                        show(store.take(uri));
                    }
                });
    }

    /** Classifies the scene. */
    void classify(final Settings settings, String doing) {
        final Run begun;
        try {
            begun = new Run(bundle, settings, Double.POSITIVE_INFINITY);
        } catch (OutOfMemoryError error) {
            problem = "There is not enough memory for a map; close other apps.";
            notifyListener();
            return;
        }
        run = begun;
        start(
                doing,
                new Work() {
                    @Override
                    public void run() throws BundleException {
                        TfliteEngine engine = TfliteEngine.open(begun.form, settings);
                        try {
                            begun.classify(engine);
                        } finally {
                            engine.close();
                        }
                    }
                });
    }

    /** Ends a classification at its next inference. */
    void cancel() {
        if (run != null) {
            run.cancel();
        }
    }

    /** Replays the golden vectors. */
    void selfTest(final Settings settings, String doing) {
        final Bundle tested = bundle;
        start(
                doing,
                new Work() {
                    @Override
                    public void run() throws BundleException {
                        TfliteEngine engine =
                                TfliteEngine.open(tested.form(settings.kind), settings);
                        try {
                            final GoldenVectors golden =
                                    GoldenVectors.replay(
                                            tested.form(settings.kind), tested.scene, engine);
                            main.post(
                                    new Runnable() {
                                        @Override
                                        public void run() {
                                            news = settings.delegate.label + "\n" + golden.text();
                                        }
                                    });
                        } finally {
                            engine.close();
                        }
                    }
                });
    }

    /** Runs the benchmark and writes its result; see {@link Benchmark}. */
    void benchmark(final Benchmark benchmark, String doing) {
        final boolean empty = bundle == null;
        start(
                doing,
                new Work() {
                    @Override
                    public void run() throws BundleException {
                        final String text = benchmark.run(store);
                        main.post(
                                new Runnable() {
                                    @Override
                                    public void run() {
                                        news = text;
                                    }
                                });
                        if (empty) {
                            show(store.builtIn());
                        }
                    }
                });
    }

    private void start(String doing, final Work work) {
        if (busy != null) {
            return;
        }
        busy = doing;
        worker.execute(
                new Runnable() {
                    @Override
                    public void run() {
                        try {
                            work.run();
                        } catch (BundleException expected) {
                            report(expected);
                        } catch (RuntimeException | Error unexpected) {
                            // The app continues; the log has the stack trace.
                            android.util.Log.e(Benchmark.TAG, "unexpected", unexpected);
                            report(unexpected);
                        } finally {
                            main.post(
                                    new Runnable() {
                                        @Override
                                        public void run() {
                                            busy = null;
                                            notifyListener();
                                        }
                                    });
                        }
                    }
                });
        notifyListener();
    }

    private void report(final Throwable error) {
        main.post(
                new Runnable() {
                    @Override
                    public void run() {
                        problem =
                                error instanceof OutOfMemoryError
                                        ? "There is not enough memory; close other apps."
                                        : error.getMessage() == null
                                                ? error.toString()
                                                : error.getMessage();
                    }
                });
    }

    private void show(final Bundle found) {
        main.post(
                new Runnable() {
                    @Override
                    public void run() {
                        bundle = found;
                        run = null;
                    }
                });
    }

    private void notifyListener() {
        if (listener != null) {
            listener.changed();
        }
    }
}
