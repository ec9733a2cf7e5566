package org.hsitf.demo;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import org.hsitf.demo.core.Archive;
import org.hsitf.demo.core.Bundle;
import org.hsitf.demo.core.BundleException;
import org.hsitf.demo.core.Fixtures;
import org.hsitf.demo.core.Form;
import org.hsitf.demo.core.GoldenVectors;
import org.hsitf.demo.core.Measured;
import org.hsitf.demo.core.Settings;
import org.json.JSONObject;
import org.junit.BeforeClass;
import org.junit.ClassRule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

/** Exported files in the interpreter that the APK carries, compared with the exporter's own. */
public class RealModelTest {
    @ClassRule public static final TemporaryFolder FOLDER = new TemporaryFolder();
    private static final List<Bundle> BUNDLES = new ArrayList<>();

    @BeforeClass
    public static void open() throws Exception {
        for (File archive : Fixtures.folder().listFiles()) {
            if (archive.getName().endsWith(".zip")) {
                File folder = new File(FOLDER.getRoot(), archive.getName());
                Archive.unpack(new ByteArrayInputStream(Fixtures.bytes(archive)), folder);
                BUNDLES.add(Bundle.open(folder));
            }
        }
        assertTrue(BUNDLES.size() >= 3);
    }

    private static Settings settings(Form form, Settings.Delegate delegate, int threads) {
        return new Settings(form.kind, delegate, threads);
    }

    @Test
    public void mapsOfIntegerFilesArePythonsPixelForPixel() throws Exception {
        for (Bundle bundle : BUNDLES) {
            for (Form form : bundle.forms) {
                for (int threads = 1; threads <= 2; threads++) {
                    Run run =
                            new Run(
                                    bundle,
                                    settings(form, Settings.Delegate.XNNPACK, threads),
                                    Double.POSITIVE_INFINITY);
                    classify(run);
                    byte[] found = new byte[run.map.capacity()];
                    run.map.get(found);
                    if (form.record.variant.equals("int8")) {
                        assertArrayEquals(bundle.title(), form.expected, found);
                    }
                    System.out.println(
                            bundle.title() + ", " + form.kind + ", " + threads + ":\n" + run.text());
                }
            }
        }
    }

    @Test
    public void goldenVectorsAreRepeated() throws Exception {
        for (Bundle bundle : BUNDLES) {
            for (Form form : bundle.forms) {
                for (Settings.Delegate delegate :
                        new Settings.Delegate[] {
                            Settings.Delegate.XNNPACK, Settings.Delegate.PLAIN
                        }) {
                    TfliteEngine engine = TfliteEngine.open(form, settings(form, delegate, 1));
                    GoldenVectors golden = GoldenVectors.replay(form, bundle.scene, engine);
                    engine.close();
                    boolean integers = form.record.variant.equals("int8");
                    // Kernels other than the exporter's may round a step apart.
                    boolean exact = delegate == Settings.Delegate.XNNPACK;
                    float bound = !integers ? 1e-3f : exact ? 0 : 1;
                    assertTrue(bundle.title() + golden.text(), golden.largest <= bound);
                    assertEquals(bundle.title(), 0, golden.cutDiffering);
                    assertEquals(golden.differing == 0, golden.isExact());
                    assertTrue(golden.text().contains("cut from the scene: bit-exact"));
                }
            }
        }
    }

    @Test
    public void accuracyIsTheRecords() throws Exception {
        for (Bundle bundle : BUNDLES) {
            Form form = bundle.forms.get(0);
            Run run =
                    new Run(
                            bundle,
                            settings(form, Settings.Delegate.XNNPACK, 1),
                            Double.POSITIVE_INFINITY);
            classify(run);
            Measured measured = run.measured(null);
            assertEquals(bundle.title(), form.record.accuracy, measured.score.accuracy(), 1e-12);
            assertEquals(measured.score.classified, measured.score.alike);
            JSONObject json = measured.json();
            assertEquals(1600, json.getInt("pixels"));
            assertTrue(json.getDouble("p50_ms") <= json.getDouble("p99_ms"));
            assertTrue(json.getLong("peak_memory") > 0);
            assertEquals("XNNPACK", json.getString("delegate"));
        }
    }

    @Test
    public void aRunEndsWhenItsTimeIsOver() throws Exception {
        Bundle bundle = BUNDLES.get(0);
        Form form = bundle.form("patches");
        Run run = new Run(bundle, settings(form, Settings.Delegate.XNNPACK, 1), 0);
        classify(run);
        assertEquals(form.record.batch, run.pixels());
        run = new Run(bundle, settings(form, Settings.Delegate.XNNPACK, 1), 1e9);
        run.cancel();
        classify(run);
        assertEquals(form.record.batch, run.pixels());
        assertTrue(run.measured(null).json().isNull("p50_ms"));
    }

    @Test
    public void aFileThatIsNoModelIsRefused() throws Exception {
        Bundle bundle = BUNDLES.get(0);
        Form form = bundle.forms.get(0);
        byte[] whole = Fixtures.bytes(form.model);
        try {
            for (int length : new int[] {0, 100, whole.length / 2}) {
                Fixtures.write(form.model, java.util.Arrays.copyOf(whole, length));
                try {
                    TfliteEngine.open(form, settings(form, Settings.Delegate.XNNPACK, 1)).close();
                    fail("half a model was opened");
                } catch (BundleException expected) {
                    assertTrue(expected.getMessage().contains("cannot run this model"));
                }
            }
        } finally {
            Fixtures.write(form.model, whole);
        }
    }

    @Test
    public void aModelOfAnotherShapeThanItsRecordIsRefused() throws Exception {
        Form patches = null;
        Form other = null;
        for (Bundle bundle : BUNDLES) {
            patches = bundle.form("patches") != null ? bundle.form("patches") : patches;
            other = bundle.form("tiles") != null ? bundle.form("tiles") : other;
        }
        byte[] whole = Fixtures.bytes(patches.model);
        try {
            Fixtures.write(patches.model, Fixtures.bytes(other.model));
            TfliteEngine.open(patches, settings(patches, Settings.Delegate.XNNPACK, 1)).close();
            fail("another model was opened");
        } catch (BundleException expected) {
            assertTrue(expected.getMessage().contains("differs from its record"));
        } finally {
            Fixtures.write(patches.model, whole);
        }
    }

    private static void classify(Run run) throws BundleException {
        TfliteEngine engine = TfliteEngine.open(run.form, run.settings);
        try {
            run.classify(engine);
        } finally {
            engine.close();
        }
    }
}
