package org.hsitf.demo.core;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** What the Python side wrote for these tests, and files made here. */
public final class Fixtures {
    private Fixtures() {}

    /** The folder that -Dfixtures names. */
    public static File folder() {
        return new File(System.getProperty("fixtures"));
    }

    /** A file's bytes. */
    public static byte[] bytes(File path) throws IOException {
        try (InputStream stream = new FileInputStream(path)) {
            ByteArrayOutputStream content = new ByteArrayOutputStream();
            Archive.copy(stream, content, Long.MAX_VALUE);
            return content.toByteArray();
        }
    }

    static String text(String name) throws IOException {
        return new String(bytes(new File(folder(), name)), "UTF-8");
    }

    /** Replaces a file. */
    public static void write(File path, byte[] content) throws IOException {
        try (OutputStream stream = new FileOutputStream(path)) {
            stream.write(content);
        }
    }

    /** A cube whose counts are row * 1000 + col * 10 + band. */
    static File cube(File path, int rows, int cols, int bands) throws IOException {
        ByteBuffer line = ByteBuffer.allocate(2 * cols * bands).order(ByteOrder.LITTLE_ENDIAN);
        try (OutputStream stream = new FileOutputStream(path)) {
            stream.write(header(rows, cols, bands, 1, 0));
            for (int row = 0; row < rows; row++) {
                line.clear();
                for (int band = 0; band < bands; band++) {
                    for (int col = 0; col < cols; col++) {
                        line.putShort((short) (row * 1000 + col * 10 + band));
                    }
                }
                stream.write(line.array());
            }
        }
        return path;
    }

    static byte[] header(int rows, int cols, int bands, float gain, float offset) {
        ByteBuffer header = ByteBuffer.allocate(Cube.HEADER).order(ByteOrder.LITTLE_ENDIAN);
        header.put(new byte[] {'H', 'S', 'I', 'C', 'U', 'B', 'E', '1'}).putInt(Cube.HEADER);
        header.putInt(rows).putInt(cols).putInt(bands).putFloat(gain).putFloat(offset);
        return header.array();
    }

    /** A record of a float model with four classes. */
    static ModelRecord record(int patch, int tile, int bands) throws BundleException {
        StringBuilder zeros = new StringBuilder("0");
        StringBuilder ones = new StringBuilder("1");
        for (int band = 1; band < bands; band++) {
            zeros.append(",0");
            ones.append(",1");
        }
        int side = tile > 0 ? tile + patch - 1 : patch;
        String out = tile > 0 ? "1," + tile + "," + tile + ",4" : "1,4";
        return ModelRecord.parse(
                "record.json",
                "{\"model\":\"made\",\"variant\":\"float32\",\"bytes\":1,\"sha256\":\"\","
                        + "\"batch\":1,\"oa\":1,\"patch\":" + patch + ",\"tile\":" + tile
                        + ",\"bands\":" + bands
                        + ",\"input\":{\"shape\":[1," + side + "," + side + "," + bands
                        + "],\"dtype\":\"float32\"},\"output\":{\"shape\":[" + out
                        + "],\"dtype\":\"float32\"},\"normalizer\":{\"offset\":[" + zeros
                        + "],\"scale\":[" + ones + "]}}",
                4);
    }
}
