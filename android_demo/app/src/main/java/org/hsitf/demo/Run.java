package org.hsitf.demo;

import java.nio.ByteBuffer;
import org.hsitf.demo.core.Bundle;
import org.hsitf.demo.core.BundleException;
import org.hsitf.demo.core.Classifier;
import org.hsitf.demo.core.Cube;
import org.hsitf.demo.core.Engine;
import org.hsitf.demo.core.Form;
import org.hsitf.demo.core.GoldenVectors;
import org.hsitf.demo.core.Latencies;
import org.hsitf.demo.core.Measured;
import org.hsitf.demo.core.Memory;
import org.hsitf.demo.core.Score;
import org.hsitf.demo.core.Settings;
import org.hsitf.demo.core.Status;
import org.hsitf.demo.core.Watcher;

/** One classification of a scene: worked on by one thread, looked at and ended by another. */
final class Run implements Watcher {
    final Bundle bundle;
    final Form form;
    final Settings settings;
    /** (rows, cols) classes from 1, 0 where there is none yet. */
    final ByteBuffer map;

    private final double mostSeconds;
    private volatile boolean cancelled;
    private volatile int pixels;
    private volatile long started;
    private volatile double seconds;
    private volatile Latencies latencies = new Latencies();

    /**
     * @param mostSeconds after which it ends by itself
     */
    Run(Bundle bundle, Settings settings, double mostSeconds) {
        this.bundle = bundle;
        this.settings = settings;
        this.mostSeconds = mostSeconds;
        form = bundle.form(settings.kind);
        map = ByteBuffer.allocateDirect(bundle.scene.rows * bundle.scene.cols);
    }

    /**
     * Classifies the scene, or as much of it as there is time for.
     *
     * @throws BundleException it cannot be, in words for the user
     */
    void classify(Engine engine) throws BundleException {
        Cube cube = bundle.scene.open();
        try {
            Classifier classifier = new Classifier(cube, form.record, engine);
            latencies = classifier.latencies;
            started = System.nanoTime();
            classifier.classify(map, this);
        } catch (IllegalArgumentException | IllegalStateException error) {
            throw new BundleException(
                    settings.delegate.label + " failed", error.getMessage(),
                    "choose another delegate");
        } finally {
            cube.close();
        }
    }

    @Override
    public boolean goesOn(int done) {
        pixels = done;
        seconds = (System.nanoTime() - started) / 1e9;
        return !cancelled && seconds < mostSeconds;
    }

    void cancel() {
        cancelled = true;
    }

    int pixels() {
        return pixels;
    }

    String text() {
        return Status.text(score(), map.capacity(), seconds, latencies)
                + "\n"
                + Status.sizes(form.record.bytes, Memory.peak());
    }

    Measured measured(GoldenVectors golden) {
        return new Measured(
                form, settings, latencies, score(), seconds, Memory.peak(), golden);
    }

    private Score score() {
        return Score.of(map, bundle.scene, form.expected);
    }
}
