package org.hsitf.demo.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Classifies a scene, patch by patch or tile by tile as the model takes them. */
public final class Classifier {
    private final Cube cube;
    private final ModelRecord record;
    private final Engine engine;
    private final Windows windows;
    private final ByteBuffer input;
    private final ByteBuffer output;
    private final int classes;

    /** Time of each inference. */
    public final Latencies latencies = new Latencies();

    /**
     * @throws BundleException the model does not fit the scene, or memory is too short for it
     */
    public Classifier(Cube cube, ModelRecord record, Engine engine) throws BundleException {
        this.cube = cube;
        this.record = record;
        this.engine = engine;
        windows = new Windows(cube, record);
        classes = record.output.shape[record.output.shape.length - 1];
        input = buffer(record.input);
        output = buffer(record.output);
    }

    static ByteBuffer buffer(TensorSpec tensor) throws BundleException {
        try {
            return ByteBuffer.allocateDirect(tensor.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        } catch (OutOfMemoryError error) {
            throw new BundleException(
                    "there is not enough memory for " + (tensor.shape[0] > 1 ? "a batch" : "a tile"),
                    tensor.bytes() + " bytes wanted",
                    "close other apps, or choose patches");
        }
    }

    /**
     * Classifies all pixels.
     *
     * @param map (rows, cols), gets classes from 1; what is not classified yet stays as it is
     * @param watcher notified after each inference
     * @return whether all were classified
     */
    public boolean classify(ByteBuffer map, Watcher watcher) {
        return record.tile > 0 ? tiles(map, watcher) : patches(map, watcher);
    }

    private boolean patches(ByteBuffer map, Watcher watcher) {
        int pixels = cube.rows * cube.cols;
        for (int first = 0; first < pixels; first += record.batch) {
            int count = Math.min(record.batch, pixels - first);
            input.clear();
            for (int place = 0; place < record.batch; place++) {
                // What fills up the last batch is not looked at.
                int pixel = first + Math.min(place, count - 1);
                windows.cut(pixel / cube.cols, pixel % cube.cols, input);
            }
            infer();
            for (int place = 0; place < count; place++) {
                map.put(first + place, best(place));
            }
            if (!watcher.goesOn(first + count)) {
                return false;
            }
        }
        return true;
    }

    private boolean tiles(ByteBuffer map, Watcher watcher) {
        int side = record.tile;
        int done = 0;
        for (int top = 0; top < cube.rows; top += side) {
            for (int left = 0; left < cube.cols; left += side) {
                // Where the scene ends inside a tile, the tile begins earlier.
                int first = Math.min(top, Math.max(cube.rows - side, 0));
                int edge = Math.min(left, Math.max(cube.cols - side, 0));
                input.clear();
                windows.cut(first, edge, input);
                infer();
                int bottom = Math.min(top + side, cube.rows);
                int right = Math.min(left + side, cube.cols);
                for (int row = top; row < bottom; row++) {
                    for (int col = left; col < right; col++) {
                        int place = (row - first) * side + col - edge;
                        map.put(row * cube.cols + col, best(place));
                    }
                }
                done += (bottom - top) * (right - left);
                if (!watcher.goesOn(done)) {
                    return false;
                }
            }
        }
        return true;
    }

    private void infer() {
        input.rewind();
        output.clear();
        long start = System.nanoTime();
        engine.run(input, output);
        latencies.add(System.nanoTime() - start);
    }

    /** The class, from 1, of the largest output; of several the first. */
    private byte best(int place) {
        int best = 0;
        float most = record.output.stored(output, place * classes);
        for (int label = 1; label < classes; label++) {
            float value = record.output.stored(output, place * classes + label);
            if (value > most) {
                most = value;
                best = label;
            }
        }
        return (byte) (best + 1);
    }
}
