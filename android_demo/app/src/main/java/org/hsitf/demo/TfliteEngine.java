package org.hsitf.demo;

import java.io.File;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.hsitf.demo.core.BundleException;
import org.hsitf.demo.core.Engine;
import org.hsitf.demo.core.Form;
import org.hsitf.demo.core.Settings;
import org.hsitf.demo.core.TensorSpec;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;
import org.tensorflow.lite.Tensor;
import org.tensorflow.lite.gpu.GpuDelegate;
import org.tensorflow.lite.nnapi.NnApiDelegate;

/** A model in the interpreter of TensorFlow Lite. */
final class TfliteEngine implements Engine {
    private final Interpreter interpreter;
    /** Null where the interpreter has its own. */
    private final Delegate delegate;

    private TfliteEngine(Interpreter interpreter, Delegate delegate) {
        this.interpreter = interpreter;
        this.delegate = delegate;
    }

    /**
     * Opens a model.
     *
     * @throws BundleException the delegate rejects the model, or it differs from its record
     */
    static TfliteEngine open(Form form, Settings settings) throws BundleException {
        TfliteEngine engine = null;
        boolean fitting = false;
        try {
            engine = open(form.model, settings);
            check("input", engine.interpreter.getInputTensor(0), form.record.input);
            check("output", engine.interpreter.getOutputTensor(0), form.record.output);
            fitting = true;
            return engine;
        } catch (RuntimeException | LinkageError error) {
            throw new BundleException(
                    settings.delegate.label + " cannot run this model",
                    error.getMessage(),
                    "choose another delegate");
        } finally {
            if (engine != null && !fitting) {
                engine.close();
            }
        }
    }

    private static TfliteEngine open(File model, Settings settings) {
        Interpreter.Options options = new Interpreter.Options();
        options.setNumThreads(settings.threads);
        options.setUseXNNPACK(settings.delegate == Settings.Delegate.XNNPACK);
        Delegate delegate = delegate(settings.delegate);
        try {
            if (delegate != null) {
                options.addDelegate(delegate);
            }
            Interpreter interpreter = new Interpreter(model, options);
            TfliteEngine engine = new TfliteEngine(interpreter, delegate);
            delegate = null;
            return engine;
        } finally {
            if (delegate != null) {
                delegate.close();
            }
        }
    }

    private static Delegate delegate(Settings.Delegate kind) {
        switch (kind) {
            case GPU:
                return new GpuDelegate();
            case NNAPI:
                return new NnApiDelegate();
            default:
                return null;
        }
    }

    private static void check(String name, Tensor found, TensorSpec expected)
            throws BundleException {
        boolean same = found.dataType().name().equals(expected.element.name());
        if (!same || !Arrays.equals(found.shape(), expected.shape)) {
            throw new BundleException(
                    "the model's " + name + " differs from its record",
                    found.dataType() + Arrays.toString(found.shape()) + " for " + expected,
                    "export it again");
        }
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) {
        interpreter.run(input, output);
    }

    @Override
    public void close() {
        interpreter.close();
        if (delegate != null) {
            delegate.close();
        }
    }
}
