package org.hsitf.demo.core;

/**
 * Rows of a scene as a model stores them, with the columns beyond its borders mirrored. Only the
 * rows of one window are kept, each computed once while windows move down.
 */
final class Rows {
    final int bytesAPixel;
    /** Columns of the scene and those mirrored beside them. */
    final int paddedCols;

    private final Cube cube;
    private final Quantizer quantizer;
    private final int before;
    private final int elementBytes;
    private final short[] counts;
    private final byte[][] kept;
    private final int[] which;

    /**
     * @param window rows that are used at a time
     */
    Rows(Cube cube, ModelRecord record, int window) {
        this.cube = cube;
        this.quantizer = new Quantizer(cube.gain, cube.offset, record);
        before = record.patch / 2;
        elementBytes = record.input.element.bytes;
        bytesAPixel = cube.bands * elementBytes;
        paddedCols = cube.cols + record.patch - 1;
        counts = new short[cube.cols * cube.bands];
        kept = new byte[Math.min(window, cube.rows)][];
        which = new int[kept.length];
        java.util.Arrays.fill(which, -1);
    }

    /** The row at a place of the padded scene, whose row 0 lies above the scene; not to change. */
    byte[] padded(int place) {
        int row = mirrored(place - before, cube.rows);
        int slot = row % kept.length;
        if (which[slot] != row) {
            if (kept[slot] == null) {
                kept[slot] = new byte[Math.multiplyExact(paddedCols, bytesAPixel)];
            }
            fill(row, kept[slot]);
            which[slot] = row;
        }
        return kept[slot];
    }

    private void fill(int row, byte[] pixels) {
        cube.row(row, counts);
        for (int band = 0; band < cube.bands; band++) {
            int at = before * bytesAPixel + band * elementBytes;
            for (int col = 0; col < cube.cols; col++, at += bytesAPixel) {
                quantizer.store(counts[band * cube.cols + col] & 0xffff, band, pixels, at);
            }
        }
        for (int place = 0; place < paddedCols; place++) {
            int inside = before + mirrored(place - before, cube.cols);
            if (inside != place) {
                System.arraycopy(
                        pixels, inside * bytesAPixel, pixels, place * bytesAPixel, bytesAPixel);
            }
        }
    }

    /** A place outside of 0 to size - 1 mirrored into it; the border itself is not repeated. */
    static int mirrored(int place, int size) {
        int inside = Math.abs(place);
        return inside >= size ? 2 * (size - 1) - inside : inside;
    }
}
