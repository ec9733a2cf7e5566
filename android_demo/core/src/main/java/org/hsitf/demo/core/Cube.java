package org.hsitf.demo.core;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;

/**
 * A scene in a file, mapped into memory: the system keeps the rows in use and drops the others.
 *
 * <p>A header of 64 bytes, then unsigned 16-bit counts, band-interleaved by line; all
 * little-endian. The header: "HSICUBE1", its own size, rows, cols, bands (32-bit integers), gain
 * and offset (32-bit floats); {@code value = count * gain + offset}.
 */
public final class Cube implements Closeable {
    static final int HEADER = 64;
    private static final byte[] MAGIC = {'H', 'S', 'I', 'C', 'U', 'B', 'E', '1'};
    /** One mapping cannot exceed 2 GiB; a part holds as many whole rows as fit into this. */
    private static final long PART = 1L << 28;
    /** Counts of a row, at most. */
    static final long LONGEST_ROW = PART / 2;

    public final int rows;
    public final int cols;
    public final int bands;
    public final float gain;
    public final float offset;

    private final RandomAccessFile file;
    private final int rowsAPart;
    private final MappedByteBuffer[] parts;

    private Cube(RandomAccessFile file, ByteBuffer header) throws IOException {
        this.file = file;
        rows = header.getInt(12);
        cols = header.getInt(16);
        bands = header.getInt(20);
        gain = header.getFloat(24);
        offset = header.getFloat(28);
        rowsAPart = (int) Math.max(1, PART / rowBytes());
        parts = new MappedByteBuffer[(rows + rowsAPart - 1) / rowsAPart];
        for (int part = 0; part < parts.length; part++) {
            int first = part * rowsAPart;
            long length = Math.min(rowsAPart, rows - first) * rowBytes();
            parts[part] =
                    file.getChannel()
                            .map(FileChannel.MapMode.READ_ONLY, HEADER + first * rowBytes(), length);
            parts[part].order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    /**
     * Opens a cube.
     *
     * @throws BundleException the file is no cube, or of another size than its header says
     */
    public static Cube open(File path) throws BundleException {
        RandomAccessFile file = null;
        try {
            file = new RandomAccessFile(path, "r");
            Cube cube = new Cube(file, header(path, file));
            file = null;
            return cube;
        } catch (IOException error) {
            throw BundleException.damaged(path.getName(), error.getMessage());
        } finally {
            close(file);
        }
    }

    private static ByteBuffer header(File path, RandomAccessFile file)
            throws IOException, BundleException {
        byte[] bytes = new byte[HEADER];
        if (file.length() < HEADER) {
            throw BundleException.damaged(path.getName(), file.length() + " bytes");
        }
        file.readFully(bytes);
        ByteBuffer header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int place = 0; place < MAGIC.length; place++) {
            if (bytes[place] != MAGIC[place]) {
                throw BundleException.damaged(path.getName(), "no cube's header");
            }
        }
        long rows = header.getInt(12);
        long cols = header.getInt(16);
        long bands = header.getInt(20);
        boolean sane = header.getInt(8) == HEADER && rows > 0 && cols > 0 && bands > 0;
        // Each factor is below 2^31, and a row that is itself too long for a mapping is no scene.
        sane = sane && cols * bands <= LONGEST_ROW;
        if (!sane || file.length() != HEADER + rows * cols * bands * 2) {
            throw new BundleException(
                    path.getName() + " is of another size than its header says",
                    file.length() + " bytes for " + rows + " x " + cols + " x " + bands,
                    "export it again");
        }
        return header;
    }

    private long rowBytes() {
        return 2L * cols * bands;
    }

    /** Reads a row's counts, (bands, cols), into an array of that size. */
    void row(int row, short[] counts) {
        ByteBuffer part = parts[row / rowsAPart].duplicate().order(ByteOrder.LITTLE_ENDIAN);
        part.position((int) (row % rowsAPart * rowBytes()));
        part.asShortBuffer().get(counts);
    }

    @Override
    public void close() {
        close(file);
    }

    private static void close(Closeable file) {
        if (file != null) {
            try {
                file.close();
            } catch (IOException error) {
                // Nothing was written, so nothing is lost.
            }
        }
    }
}
