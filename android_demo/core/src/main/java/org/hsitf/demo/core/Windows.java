package org.hsitf.demo.core;

import java.nio.ByteBuffer;

/** Cuts windows, patches or tiles with the pixels around them, out of a scene. */
final class Windows {
    private final Rows rows;
    private final int paddedRows;
    private final int side;

    Windows(Cube cube, ModelRecord record) throws BundleException {
        if (record.bands != cube.bands || record.patch > Math.min(cube.rows, cube.cols)) {
            throw new BundleException(
                    "the model does not fit the scene",
                    record.patch + " x " + record.patch + " x " + record.bands + " in "
                            + cube.rows + " x " + cube.cols + " x " + cube.bands,
                    "export model and scene together");
        }
        side = record.window();
        rows = new Rows(cube, record, side);
        paddedRows = cube.rows + record.patch - 1;
    }

    /**
     * Appends a window to a buffer.
     *
     * @param top of the window in the padded scene, which is the pixel's own row for a patch
     * @param left likewise; where the scene ends inside, its last pixels are repeated
     */
    void cut(int top, int left, ByteBuffer into) {
        int there = Math.min(side, rows.paddedCols - left);
        for (int step = 0; step < side; step++) {
            byte[] row = rows.padded(Math.min(top + step, paddedRows - 1));
            into.put(row, left * rows.bytesAPixel, there * rows.bytesAPixel);
            for (int missing = there; missing < side; missing++) {
                into.put(row, (rows.paddedCols - 1) * rows.bytesAPixel, rows.bytesAPixel);
            }
        }
    }
}
