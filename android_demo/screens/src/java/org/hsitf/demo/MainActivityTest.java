package org.hsitf.demo;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotNull;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertSame;
import static org.junit.Assert.assertTrue;

import android.app.AlertDialog;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.net.Uri;
import android.util.DisplayMetrics;
import android.view.View;
import android.view.View.MeasureSpec;
import android.widget.Button;
import android.widget.Spinner;
import android.widget.TextView;
import java.io.File;
import java.io.FileOutputStream;
import java.io.OutputStream;
import org.hsitf.demo.core.Fixtures;
import org.json.JSONObject;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;
import org.junit.runner.RunWith;
import org.robolectric.Robolectric;
import org.robolectric.RobolectricTestRunner;
import org.robolectric.RuntimeEnvironment;
import org.robolectric.Shadows;
import org.robolectric.android.controller.ActivityController;
import org.robolectric.annotation.Config;
import org.robolectric.annotation.GraphicsMode;
import org.robolectric.shadows.ShadowAlertDialog;
import org.robolectric.shadows.ShadowLooper;

/** The app's screen on a desktop JVM: real views, real drawing, the real interpreter. */
@RunWith(RobolectricTestRunner.class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = 34, qualifiers = "w411dp-h891dp-port-xhdpi")
public class MainActivityTest {
    private static final long PATIENCE = 60_000;
    private ActivityController<MainActivity> controller;

    private interface Condition {
        boolean holds();
    }

    @Before
    public void start() throws Exception {
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        idle();
    }

    @After
    public void stop() throws Exception {
        session().cancel();
        idle();
        controller.close();
    }

    @Test
    public void theBundleOfTheAssetsIsShown() throws Exception {
        assertNotNull(session().bundle());
        assertEquals(session().bundle().title(), text(R.id.title));
        assertTrue(button(R.id.classify).isEnabled());
        picture("start");
    }

    @Test
    public void whatCannotBeChosenIsGreyAndSaysWhy() {
        Spinner delegates = (Spinner) activity().findViewById(R.id.delegate);
        assertEquals(4, delegates.getAdapter().getCount());
        Choice<?> gpu = (Choice<?>) delegates.getAdapter().getItem(2);
        assertEquals("GPU: its library cannot be loaded", gpu.toString());
        View row = delegates.getAdapter().getDropDownView(2, null, delegates);
        assertFalse(row.isEnabled());
        assertTrue(delegates.getAdapter().getDropDownView(0, null, delegates).isEnabled());
    }

    @Test
    public void aSceneIsClassifiedAsPythonDoes() throws Exception {
        button(R.id.classify).performClick();
        assertEquals("Cancel", button(R.id.classify).getText().toString());
        await(
                new Condition() {
                    @Override
                    public boolean holds() {
                        return session().run().pixels() > session().run().map.capacity() / 3;
                    }
                });
        activity().changed();
        picture("running");
        idle();
        Run run = session().run();
        assertEquals(run.map.capacity(), run.pixels());
        byte[] found = new byte[run.map.capacity()];
        run.map.duplicate().get(found);
        org.junit.Assert.assertArrayEquals(run.form.expected, found);
        assertTrue(text(R.id.status).contains("0 pixels other than in the exporter's map"));
        picture("done");
    }

    @Test
    public void rotationKeepsTheWorkAndTheChoices() throws Exception {
        ((Spinner) activity().findViewById(R.id.form)).setSelection(1);
        button(R.id.classify).performClick();
        Run run = session().run();
        MainActivity before = activity();
        RuntimeEnvironment.setQualifiers("+land");
        controller.configurationChange(
                RuntimeEnvironment.getApplication().getResources().getConfiguration());
        assertTrue(before != activity());
        assertSame(run, session().run());
        assertEquals(1, ((Spinner) activity().findViewById(R.id.form)).getSelectedItemPosition());
        idle();
        assertEquals(run.map.capacity(), run.pixels());
        picture("landscape");
    }

    @Test
    public void backgroundAndBackKeepTheWork() throws Exception {
        button(R.id.classify).performClick();
        Run run = session().run();
        controller.pause().stop();
        idle();
        controller.restart().start().resume();
        ShadowLooper.idleMainLooper();
        assertTrue(text(R.id.status).contains("pixels/s"));
        controller.pause().stop().destroy();
        controller = Robolectric.buildActivity(MainActivity.class).setup();
        idle();
        assertSame(run, session().run());
        assertTrue(text(R.id.status).contains("pixels/s"));
    }

    @Test
    public void classificationCanBeCancelled() throws Exception {
        ((Spinner) activity().findViewById(R.id.delegate)).setSelection(1);
        button(R.id.classify).performClick();
        button(R.id.classify).performClick();
        idle();
        assertTrue(session().run().pixels() < session().run().map.capacity());
        assertEquals("Classify", button(R.id.classify).getText().toString());
    }

    @Test
    public void theSelfTestSaysWhatItFound() throws Exception {
        button(R.id.self_test).performClick();
        idle();
        AlertDialog dialog = ShadowAlertDialog.getLatestAlertDialog();
        String said = Shadows.shadowOf(dialog).getMessage().toString();
        assertTrue(said, said.contains("Inputs cut from the scene: bit-exact."));
        assertTrue(said, said.startsWith("XNNPACK (CPU)\n"));
        dialog.getButton(AlertDialog.BUTTON_POSITIVE).performClick();
        ShadowLooper.idleMainLooper();
        assertNull(session().news());
    }

    @Test
    public void whatIsNoBundleIsADialogAndNothingIsLost() throws Exception {
        org.hsitf.demo.core.Bundle before = session().bundle();
        File file = new File(activity().getCacheDir(), "photo.jpg");
        Fixtures.write(file, new byte[] {1, 2, 3});
        session().take(Uri.fromFile(file), "reading");
        idle();
        AlertDialog dialog = ShadowAlertDialog.getLatestAlertDialog();
        String said = Shadows.shadowOf(dialog).getMessage().toString();
        assertTrue(said, said.contains("the bundle cannot be unpacked"));
        dialogPicture(dialog);
        // Turned around, the message is still there, because nobody has read it.
        controller.recreate();
        ShadowLooper.idleMainLooper();
        assertTrue(ShadowAlertDialog.getLatestAlertDialog().isShowing());
        assertTrue(dialog != ShadowAlertDialog.getLatestAlertDialog());
        assertSame(before, session().bundle());
    }

    @Test
    public void anotherBundleIsTakenOver() throws Exception {
        File archive = new File(Fixtures.folder(), "he.zip");
        session().take(Uri.fromFile(archive), "reading");
        idle();
        assertEquals("he int8 on tiny", text(R.id.title));
        Spinner forms = (Spinner) activity().findViewById(R.id.form);
        assertEquals("tiles: not in this bundle", forms.getAdapter().getItem(1).toString());
    }

    @Test
    public void theBenchmarkWritesItsResult() throws Exception {
        controller.pause().stop().destroy();
        Intent intent = new Intent(RuntimeEnvironment.getApplication(), MainActivity.class);
        intent.setClassName(RuntimeEnvironment.getApplication(), Benchmark.GATE);
        intent.putExtra("benchmark", true).putExtra("id", "42").putExtra("threads", "1,2");
        intent.putExtra("delegates", "XNNPACK,GPU,TPU");
        controller = Robolectric.buildActivity(MainActivity.class, intent).setup();
        idle();
        File file = new File(activity().getFilesDir(), Benchmark.RESULT);
        JSONObject result = new JSONObject(new String(Fixtures.bytes(file), "UTF-8"));
        assertEquals("42", result.getString("id"));
        int forms = session().bundle().forms.size();
        assertEquals(2 * forms, result.getJSONArray("rows").length());
        assertEquals(4 * forms, result.getJSONArray("refused").length());
        JSONObject row = result.getJSONArray("rows").getJSONObject(0);
        assertEquals(session().bundle().scene.truth.length, row.getInt("alike"));
        assertEquals("2.16.1", result.getString("runtime"));
        String folder = System.getProperty("results");
        if (folder != null) {
            Fixtures.write(new File(folder, Benchmark.RESULT), Fixtures.bytes(file));
        }
    }

    @Test
    public void otherAppsStartNoBenchmark() throws Exception {
        controller.pause().stop().destroy();
        Intent intent = new Intent(RuntimeEnvironment.getApplication(), MainActivity.class);
        intent.putExtra("benchmark", true);
        controller = Robolectric.buildActivity(MainActivity.class, intent).setup();
        controller.newIntent(new Intent().putExtra("benchmark", true));
        idle();
        assertFalse(new File(activity().getFilesDir(), Benchmark.RESULT).exists());
        assertNull(session().busy());
    }

    private MainActivity activity() {
        return controller.get();
    }

    private Session session() {
        return ((Demo) RuntimeEnvironment.getApplication()).session();
    }

    private String text(int id) {
        return ((TextView) activity().findViewById(id)).getText().toString();
    }

    private Button button(int id) {
        return (Button) activity().findViewById(id);
    }

    /** Waits until nothing is being worked on. */
    private void idle() throws Exception {
        await(
                new Condition() {
                    @Override
                    public boolean holds() {
                        return session().busy() == null;
                    }
                });
        ShadowLooper.idleMainLooper();
    }

    private static void await(Condition condition) throws Exception {
        long until = System.currentTimeMillis() + PATIENCE;
        ShadowLooper.idleMainLooper();
        while (!condition.holds()) {
            assertTrue("it takes too long", System.currentTimeMillis() < until);
            Thread.sleep(5);
            ShadowLooper.idleMainLooper();
        }
    }

    private void picture(String name) throws Exception {
        draw(activity().getWindow().getDecorView(), name);
    }

    private static void dialogPicture(AlertDialog dialog) throws Exception {
        draw(dialog.getWindow().getDecorView(), "dialog");
    }

    private static void draw(View view, String name) throws Exception {
        String folder = System.getProperty("results");
        if (folder == null) {
            return;
        }
        ShadowLooper.idleMainLooper();
        if (view.getWidth() == 0) {
            // What Robolectric makes anew after a change of configuration, it does not lay out.
            DisplayMetrics screen = view.getResources().getDisplayMetrics();
            view.measure(
                    MeasureSpec.makeMeasureSpec(screen.widthPixels, MeasureSpec.EXACTLY),
                    MeasureSpec.makeMeasureSpec(screen.heightPixels, MeasureSpec.EXACTLY));
            view.layout(0, 0, screen.widthPixels, screen.heightPixels);
        }
        Bitmap bitmap =
                Bitmap.createBitmap(view.getWidth(), view.getHeight(), Bitmap.Config.ARGB_8888);
        view.draw(new Canvas(bitmap));
        try (OutputStream stream = new FileOutputStream(new File(folder, name + ".png"))) {
            bitmap.compress(Bitmap.CompressFormat.PNG, 100, stream);
        }
    }
}
