package org.hsitf.demo.core;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** {@code device.json}: what is in a bundle. Every file is checked when it is asked for. */
final class Manifest {
    static final String NAME = "device.json";
    private static final int FORMAT = 1;
    private static final int MOST_BYTES = 1 << 20;
    private static final Charset UTF_8 = Charset.forName("UTF-8");

    private final File folder;
    private final JSONObject json;

    private Manifest(File folder, JSONObject json) {
        this.folder = folder;
        this.json = json;
    }

    /** Reads the manifest of a folder, without looking at the other files yet. */
    static Manifest read(File folder) throws BundleException {
        File path = new File(folder, NAME);
        if (!path.isFile()) {
            throw new BundleException(
                    "this is no bundle for the demo",
                    "no " + NAME,
                    "choose an archive that hsitf export --android wrote");
        }
        try {
            JSONObject json = new JSONObject(new String(content(path, MOST_BYTES), UTF_8));
            if (json.getInt("format") != FORMAT) {
                throw new BundleException(
                        "the bundle is of another version",
                        "format " + json.getInt("format"),
                        "export it again with the version that belongs to this app");
            }
            return new Manifest(folder, json);
        } catch (JSONException error) {
            throw BundleException.damaged(NAME, error.getMessage());
        }
    }

    /** The bundle's part of a JSON object in it, such as a form, with the same checksums. */
    Manifest part(JSONObject inside) {
        try {
            return new Manifest(folder, inside.put("sha256", json.getJSONObject("sha256")));
        } catch (JSONException error) {
            throw new IllegalStateException(error);
        }
    }

    JSONArray forms() throws BundleException {
        try {
            return json.getJSONArray("forms");
        } catch (JSONException error) {
            throw BundleException.damaged(NAME, error.getMessage());
        }
    }

    String text(String key) throws BundleException {
        try {
            return json.getString(key);
        } catch (JSONException error) {
            throw BundleException.damaged(NAME, error.getMessage());
        }
    }

    int number(String key) throws BundleException {
        try {
            return json.getInt(key);
        } catch (JSONException error) {
            throw BundleException.damaged(NAME, error.getMessage());
        }
    }

    boolean flag(String key) throws BundleException {
        try {
            return json.getBoolean(key);
        } catch (JSONException error) {
            throw BundleException.damaged(NAME, error.getMessage());
        }
    }

    String[] classNames() throws BundleException {
        try {
            JSONArray classes = json.getJSONArray("classes");
            String[] names = new String[classes.length()];
            for (int label = 0; label < names.length; label++) {
                names[label] = classes.getJSONObject(label).getString("name");
            }
            if (names.length < 2 || names.length > 255) {
                throw BundleException.damaged(NAME, names.length + " classes");
            }
            return names;
        } catch (JSONException error) {
            throw BundleException.damaged(NAME, error.getMessage());
        }
    }

    int[] colors() throws BundleException {
        try {
            JSONArray classes = json.getJSONArray("classes");
            int[] colors = new int[classes.length()];
            for (int label = 0; label < colors.length; label++) {
                String color = classes.getJSONObject(label).getString("color");
                if (!color.matches("#[0-9a-fA-F]{6}")) {
                    throw BundleException.damaged(NAME, "the color " + color);
                }
                colors[label] = 0xff000000 | Integer.parseInt(color.substring(1), 16);
            }
            return colors;
        } catch (JSONException error) {
            throw BundleException.damaged(NAME, error.getMessage());
        }
    }

    /** A file by what it is, whose checksum is the manifest's. */
    File file(String key) throws BundleException {
        String name = text(key);
        if (!Archive.PLAIN.matcher(name).matches()) {
            throw BundleException.damaged(NAME, "a file called " + name);
        }
        File path = new File(folder, name);
        if (!path.isFile()) {
            throw BundleException.damaged(name, "no such file");
        }
        String expected;
        try {
            expected = json.getJSONObject("sha256").getString(name);
        } catch (JSONException error) {
            throw BundleException.damaged(NAME, error.getMessage());
        }
        if (!sha256(path).equals(expected)) {
            throw BundleException.damaged(name, "another SHA-256");
        }
        return path;
    }

    /** The content of a file, which has to have so many bytes. */
    byte[] bytes(String key, int size) throws BundleException {
        byte[] found = bytes(key);
        if (found.length != size) {
            throw BundleException.damaged(text(key), found.length + " bytes for " + size);
        }
        return found;
    }

    /** The content of a file. */
    byte[] bytes(String key) throws BundleException {
        File path = file(key);
        return content(path, path.length());
    }

    String string(String key) throws BundleException {
        return new String(content(file(key), MOST_BYTES), UTF_8);
    }

    private static byte[] content(File path, long most) throws BundleException {
        if (path.length() > most || most > Integer.MAX_VALUE) {
            throw BundleException.damaged(path.getName(), path.length() + " bytes");
        }
        try (InputStream stream = new FileInputStream(path)) {
            ByteArrayOutputStream content = new ByteArrayOutputStream((int) path.length());
            Archive.copy(stream, content, most);
            return content.toByteArray();
        } catch (IOException error) {
            throw BundleException.damaged(path.getName(), error.getMessage());
        }
    }

    static String sha256(File path) throws BundleException {
        try (InputStream stream = new FileInputStream(path)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] chunk = new byte[1 << 16];
            int read = stream.read(chunk);
            while (read >= 0) {
                digest.update(chunk, 0, read);
                read = stream.read(chunk);
            }
            StringBuilder text = new StringBuilder();
            for (byte part : digest.digest()) {
                text.append(Character.forDigit(part >> 4 & 15, 16));
                text.append(Character.forDigit(part & 15, 16));
            }
            return text.toString();
        } catch (IOException error) {
            throw BundleException.damaged(path.getName(), error.getMessage());
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
