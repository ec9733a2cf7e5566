package org.hsitf.demo.core;

import java.nio.ByteBuffer;

/** Maps as pictures: one number 0xaarrggbb a pixel, row by row. */
public final class Pictures {
    /** Pixels without a class. */
    public static final int NONE = 0xff000000;

    private Pictures() {}

    /** Colors of a map with classes from 1, 0 for none. */
    public static void draw(ByteBuffer map, int[] colors, int[] into) {
        for (int pixel = 0; pixel < into.length; pixel++) {
            int label = map.get(pixel) & 0xff;
            into[pixel] = label == 0 || label > colors.length ? NONE : colors[label - 1];
        }
    }

    /** Which classes a legend has to name: those of the ground truth and of the map. */
    public static boolean[] present(byte[] truth, ByteBuffer map, int classes) {
        boolean[] found = new boolean[classes];
        for (int pixel = 0; pixel < truth.length; pixel++) {
            mark(truth[pixel], found);
            mark(map.get(pixel), found);
        }
        return found;
    }

    private static void mark(byte value, boolean[] found) {
        int label = value & 0xff;
        if (label > 0 && label <= found.length) {
            found[label - 1] = true;
        }
    }
}
