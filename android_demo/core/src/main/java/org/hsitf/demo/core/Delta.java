package org.hsitf.demo.core;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A cube as it travels: behind its header each band less the one before, of each row first the low
 * bytes of all differences, then the high ones. A difference d is zigzag-encoded as 2 d, or -2 d - 1.
 */
final class Delta {
    /** In an archive. */
    static final String NAME = "cube.delta";
    /** What becomes of it. */
    static final String CUBE = "cube.bil";

    private Delta() {}

    /**
     * Restores the cube, row by row.
     *
     * @param most bytes that there is room for
     * @return whether it fitted
     */
    static boolean restore(InputStream from, OutputStream to, long most) throws IOException {
        DataInputStream stream = new DataInputStream(from);
        byte[] bytes = new byte[Cube.HEADER];
        stream.readFully(bytes);
        to.write(bytes);
        ByteBuffer header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int rows = header.getInt(12);
        int cols = header.getInt(16);
        int bands = header.getInt(20);
        if (rows < 1 || cols < 1 || bands < 1 || (long) cols * bands > Cube.LONGEST_ROW) {
            throw new IOException(rows + " x " + cols + " x " + bands + " is no cube");
        }
        if (most / rows / cols / bands < 2) {
            return false;
        }
        byte[] row = new byte[2 * cols * bands];
        byte[] line = new byte[row.length];
        for (int number = 0; number < rows; number++) {
            stream.readFully(row);
            restore(row, line, cols);
            to.write(line);
        }
        return true;
    }

    private static void restore(byte[] row, byte[] line, int cols) {
        int half = row.length / 2;
        for (int place = 0; place < half; place++) {
            int zigzag = row[place] & 0xff | (row[half + place] & 0xff) << 8;
            int difference = zigzag >>> 1 ^ -(zigzag & 1);
            int at = 2 * place;
            int before = place < cols ? 0 : line[at - 2 * cols] & 0xff | line[at - 2 * cols + 1] << 8;
            line[at] = (byte) (before + difference);
            line[at + 1] = (byte) (before + difference >> 8);
        }
    }
}
