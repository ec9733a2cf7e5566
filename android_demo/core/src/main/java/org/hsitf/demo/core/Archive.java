package org.hsitf.demo.core;

import java.io.BufferedOutputStream;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** A bundle as an archive: unpacked once, so that its cube can be mapped into memory. */
public final class Archive {
    /** Names that stay inside their folder on every system. */
    static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,99}");
    private static final int MOST_FILES = 64;
    private static final long SPARE = 16L << 20;

    private Archive() {}

    /**
     * Unpacks an archive from elsewhere into a folder that does not exist yet.
     *
     * <p>It is put together beside its place and moved there when it is whole.
     *
     * @throws BundleException it is no archive, holds names that lead elsewhere, or does not fit
     */
    public static void unpack(InputStream archive, File folder) throws BundleException {
        File part = new File(folder.getPath() + ".part");
        delete(part);
        boolean whole = false;
        try {
            if (!part.mkdirs()) {
                throw new IOException("cannot make " + part.getName());
            }
            unpackInto(archive, part);
            if (!part.renameTo(folder)) {
                throw new IOException("cannot make " + folder.getName());
            }
            whole = true;
        } catch (IOException | IllegalArgumentException error) {
            throw new BundleException(
                    "the bundle cannot be unpacked",
                    error.getMessage(),
                    "choose an archive that hsitf export --android wrote");
        } finally {
            if (!whole) {
                delete(part);
            }
        }
    }

    private static void unpackInto(InputStream archive, File part)
            throws IOException, BundleException {
        ZipInputStream zip = new ZipInputStream(archive);
        int files = 0;
        for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
            files++;
            if (files > MOST_FILES || !PLAIN.matcher(entry.getName()).matches()) {
                throw new IOException("it holds " + entry.getName());
            }
            long room = part.getUsableSpace() - SPARE;
            boolean delta = entry.getName().equals(Delta.NAME);
            File path = new File(part, delta ? Delta.CUBE : entry.getName());
            try (OutputStream file = new BufferedOutputStream(new FileOutputStream(path))) {
                if (!(delta ? Delta.restore(zip, file, room) : copy(zip, file, room))) {
                    throw new BundleException(
                            "there is no room for the bundle",
                            room + " bytes free",
                            "remove something else first");
                }
            }
        }
        if (files == 0) {
            throw new IOException("no zip archive");
        }
    }

    /** Copies up to so many bytes; whether that was all. */
    static boolean copy(InputStream from, OutputStream to, long most) throws IOException {
        byte[] chunk = new byte[1 << 16];
        long left = most;
        int read = from.read(chunk);
        while (read >= 0) {
            left -= read;
            if (left < 0) {
                return false;
            }
            to.write(chunk, 0, read);
            read = from.read(chunk);
        }
        return true;
    }

    /** Removes a folder and the files in it. */
    public static void delete(File folder) {
        File[] files = folder.listFiles();
        if (files != null) {
            for (File file : files) {
                delete(file);
            }
        }
        folder.delete();
    }
}
