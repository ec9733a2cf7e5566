package org.hsitf.demo.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.json.JSONObject;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Bundles that came to harm, made of a real one. */
public class BundleTest {
    @Rule public final TemporaryFolder temporary = new TemporaryFolder();
    private File folder;

    @Before
    public void unpack() throws Exception {
        folder = new File(temporary.getRoot(), "bundle");
        byte[] archive = Fixtures.bytes(new File(Fixtures.folder(), "cao.zip"));
        Archive.unpack(new ByteArrayInputStream(archive), folder);
    }

    @Test
    public void aWholeBundleOpens() throws Exception {
        Bundle bundle = Bundle.open(folder);
        assertEquals(2, bundle.forms.size());
        assertEquals("cao int8 on tiny", bundle.title());
        assertEquals(4, bundle.scene.classNames.length);
        assertEquals(40 * 40, bundle.scene.truth.length);
        assertTrue(bundle.scene.exact);
    }

    @Test
    public void everyMissingFileIsNamed() throws Exception {
        for (File file : folder.listFiles()) {
            byte[] content = Fixtures.bytes(file);
            assertTrue(file.delete());
            refused(file.getName().equals(Manifest.NAME) ? "no bundle" : file.getName());
            Fixtures.write(file, content);
        }
        Bundle.open(folder);
    }

    @Test
    public void everyDamagedFileIsNamed() throws Exception {
        for (File file : folder.listFiles()) {
            if (file.getName().equals(Manifest.NAME)) {
                continue;
            }
            byte[] content = Fixtures.bytes(file);
            byte[] damaged = content.clone();
            damaged[damaged.length / 2] ^= 1;
            Fixtures.write(file, damaged);
            refused(file.getName());
            Fixtures.write(file, Arrays.copyOf(content, content.length - 1));
            refused(file.getName());
            Fixtures.write(file, content);
        }
        Bundle.open(folder);
    }

    @Test
    public void aManifestOfNonsenseIsRefused() throws Exception {
        File path = new File(folder, Manifest.NAME);
        String text = new String(Fixtures.bytes(path), "UTF-8");
        for (String other : new String[] {"", "[]", "{", "{\"format\": 1}", "\0\1\2"}) {
            Fixtures.write(path, other.getBytes("UTF-8"));
            refused("device.json");
        }
        rewrite(path, text, "format", 2);
        refused("another version");
        rewrite(path, text, "rows", 41);
        refused("1600 bytes for 1640");
        rewrite(path, text, "rows", -1);
        refused("damaged");
        rewrite(path, text, "rows", 1 << 20);
        refused("too large to be shown");
        rewrite(path, text, "bands", 25);
        refused("another size than the bundle says");
        rewrite(path, text, "cube", "../cube.bil");
        refused("a file called ../cube.bil");
        rewrite(path, text, "truth", "cube.bil");
        refused("bytes for 1600");
        rewrite(path, text, "forms", new org.json.JSONArray());
        refused("0 forms");
    }

    @Test
    public void aRecordOfAnotherModelIsRefused() throws Exception {
        File path = new File(folder, "patches-record.json");
        String text = new String(Fixtures.bytes(path), "UTF-8");
        resign(path, new JSONObject(text).put("sha256", "0"));
        refused("another SHA-256 than its record has");
        resign(path, new JSONObject(text).put("patch", 7));
        refused("does not fit the scene");
        resign(path, new JSONObject(text).put("bands", 3));
        refused("sizes that do not fit");
        JSONObject json = new JSONObject(text);
        json.getJSONObject("input").put("dtype", "float64");
        resign(path, json);
        refused("float64");
        json.remove("input");
        resign(path, json);
        refused("patches-record.json");
    }

    @Test
    public void withoutMemoryForATileTheMessageSaysSo() throws Exception {
        TensorSpec tensor =
                new TensorSpec(new int[] {1, 40000, 400, 100}, Element.INT8, 1, 0);
        try {
            Classifier.buffer(tensor);
            fail("1.6 GB fitted into 64 MB");
        } catch (BundleException expected) {
            assertTrue(expected.getMessage(), expected.getMessage().contains("memory for a tile"));
        }
    }

    @Test
    public void legendsNameWhatIsThere() throws Exception {
        Scene scene = Bundle.open(folder).scene;
        ByteBuffer none = ByteBuffer.allocate(scene.truth.length);
        boolean[] present = Pictures.present(new byte[scene.truth.length], none, 4);
        assertTrue(Arrays.equals(new boolean[4], present));
        none.put(7, (byte) 3);
        assertTrue(Pictures.present(new byte[scene.truth.length], none, 4)[2]);
        int[] colors = new int[scene.truth.length];
        Pictures.draw(none, scene.colors, colors);
        assertEquals(scene.colors[2], colors[7]);
        assertEquals(Pictures.NONE, colors[8]);
    }

    /** Changes a record, and the manifest's checksum of it with it. */
    private void resign(File record, JSONObject json) throws Exception {
        Fixtures.write(record, json.toString().getBytes("UTF-8"));
        File path = new File(folder, Manifest.NAME);
        JSONObject manifest = new JSONObject(new String(Fixtures.bytes(path), "UTF-8"));
        manifest.getJSONObject("sha256").put(record.getName(), Manifest.sha256(record));
        Fixtures.write(path, manifest.toString().getBytes("UTF-8"));
    }

    private static void rewrite(File path, String text, String key, Object value)
            throws Exception {
        Fixtures.write(path, new JSONObject(text).put(key, value).toString().getBytes("UTF-8"));
    }

    private void refused(String words) {
        try {
            Bundle.open(folder);
            fail("a damaged bundle was opened: " + words);
        } catch (BundleException expected) {
            String message = expected.getMessage();
            assertTrue(message + " names not " + words, message.contains(words));
        }
    }
}
