package org.hsitf.demo.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Result of replaying the golden vectors: inputs whose outputs every runtime has to reproduce, to
 * the bit with the exporter's kernels, within a measured tolerance with others.
 */
public final class GoldenVectors {
    /** Inferences replayed. */
    public final int runs;
    /** Outputs compared, and those that differ. */
    public final int outputs;
    public final int differing;
    /** Largest difference of an output, in steps of integers or as it is. */
    public final float largest;
    /** Largest difference that the exporter measured with other kernels, likewise. */
    public final float tolerance;
    /** Bytes of the inputs, cut anew from the scene, that differ; -1 where the cube is rounded. */
    public final int cutDiffering;

    private GoldenVectors(
            int runs, int outputs, int differing, float largest, float tolerance, int cutDiffering) {
        this.runs = runs;
        this.outputs = outputs;
        this.differing = differing;
        this.largest = largest;
        this.tolerance = tolerance;
        this.cutDiffering = cutDiffering;
    }

    /**
     * Replays the golden vectors of a form, and cuts their inputs from the scene once more.
     *
     * @throws BundleException the model does not fit the scene, or memory is too short for it
     */
    public static GoldenVectors replay(Form form, Scene scene, Engine engine) throws BundleException {
        TensorSpec in = form.record.input;
        TensorSpec out = form.record.output;
        ByteBuffer input = Classifier.buffer(in);
        ByteBuffer output = Classifier.buffer(out);
        ByteBuffer expected = ByteBuffer.wrap(form.outputs).order(ByteOrder.LITTLE_ENDIAN);
        int runs = form.inputs.length / in.bytes();
        int differing = 0;
        float largest = 0;
        for (int run = 0; run < runs; run++) {
            input.clear();
            input.put(form.inputs, run * in.bytes(), in.bytes());
            input.rewind();
            output.clear();
            engine.run(input, output);
            for (int place = 0; place < out.size(); place++) {
                float difference =
                        Math.abs(
                                out.stored(output, place)
                                        - out.stored(expected, run * out.size() + place));
                differing += difference == 0 ? 0 : 1;
                // A number that is none differs, too, and by more than any.
                largest = difference <= largest ? largest : difference;
            }
        }
        int cut = scene.exact ? recut(form, scene) : -1;
        return new GoldenVectors(
                runs, runs * out.size(), differing, largest, form.record.goldenTolerance, cut);
    }

    private static int recut(Form form, Scene scene) throws BundleException {
        ModelRecord record = form.record;
        ByteBuffer pixels = ByteBuffer.wrap(form.pixels).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer found;
        Cube cube = scene.open();
        try {
            Windows windows = new Windows(cube, record);
            found = ByteBuffer.allocate(form.inputs.length);
            for (int place = 0; place < form.pixels.length / 4; place++) {
                int pixel = pixels.getInt(4 * place);
                if (pixel < 0 || pixel >= scene.rows * scene.cols) {
                    throw BundleException.damaged(Manifest.NAME, "a golden pixel " + pixel);
                }
                windows.cut(pixel / scene.cols, pixel % scene.cols, found);
            }
        } finally {
            cube.close();
        }
        int differing = 0;
        for (int place = 0; place < form.inputs.length; place++) {
            differing += found.get(place) == form.inputs[place] ? 0 : 1;
        }
        return differing;
    }

    /** Whether everything is repeated to the bit. */
    public boolean isExact() {
        return differing == 0 && cutDiffering <= 0;
    }

    /** Whether outputs differ by no more than kernels other than the exporter's do. */
    public boolean isWithinTolerance() {
        return largest <= tolerance;
    }

    /** For the user. */
    public String text() {
        StringBuilder text = new StringBuilder();
        if (differing == 0) {
            text.append("Bit-exact: ").append(outputs).append(" outputs of ").append(runs);
            text.append(" inferences.");
        } else {
            text.append(differing).append(" of ").append(outputs);
            text.append(" outputs differ, by ").append(largest).append(" at most");
            text.append(isWithinTolerance() ? ", within" : ", more than");
            text.append(" the ").append(tolerance).append(" measured with other kernels.");
        }
        if (cutDiffering == 0) {
            text.append("\nInputs cut from the scene: bit-exact.");
        } else if (cutDiffering > 0) {
            text.append("\nInputs cut from the scene: ").append(cutDiffering);
            text.append(" bytes differ.");
        }
        return text.toString();
    }
}
