package org.hsitf.demo.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

public class WindowsTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    @Test
    public void bordersAreMirroredWithoutThemselves() {
        assertEquals(2, Rows.mirrored(-2, 5));
        assertEquals(0, Rows.mirrored(0, 5));
        assertEquals(4, Rows.mirrored(4, 5));
        assertEquals(3, Rows.mirrored(5, 5));
        assertEquals(2, Rows.mirrored(6, 5));
    }

    @Test
    public void aCornersPatchByHand() throws Exception {
        Cube cube = Cube.open(Fixtures.cube(folder.newFile(), 4, 5, 1));
        assertArrayEquals(
                new float[] {1010, 1000, 1010, 10, 0, 10, 1010, 1000, 1010},
                window(cube, Fixtures.record(3, 0, 1), 0, 0), 0);
        assertArrayEquals(
                new float[] {2030, 2040, 2030, 3030, 3040, 3030, 2030, 2040, 2030},
                window(cube, Fixtures.record(3, 0, 1), 3, 4), 0);
        cube.close();
    }

    @Test
    public void anEvenPatchHasItsPixelBelowAndRightOfTheMiddle() throws Exception {
        Cube cube = Cube.open(Fixtures.cube(folder.newFile(), 4, 5, 1));
        assertArrayEquals(
                new float[] {1010, 1020, 2010, 2020},
                window(cube, Fixtures.record(2, 0, 1), 2, 2), 0);
        cube.close();
    }

    @Test
    public void aTileLargerThanItsSceneRepeatsTheLastPixels() throws Exception {
        Cube cube = Cube.open(Fixtures.cube(folder.newFile(), 2, 2, 1));
        assertArrayEquals(
                new float[] {0, 10, 10, 1000, 1010, 1010, 1000, 1010, 1010},
                window(cube, Fixtures.record(1, 3, 1), 0, 0), 0);
        cube.close();
    }

    @Test
    public void rowsMayBeAskedForInAnyOrder() throws Exception {
        Cube cube = Cube.open(Fixtures.cube(folder.newFile(), 9, 6, 2));
        ModelRecord record = Fixtures.record(3, 0, 2);
        Windows kept = new Windows(cube, record);
        for (int row : new int[] {0, 8, 1, 7, 7, 2, 0}) {
            ByteBuffer buffer = ByteBuffer.allocate(record.input.bytes());
            kept.cut(row, 3, buffer);
            assertArrayEquals(window(cube, record, row, 3), floats(buffer), 0);
        }
        cube.close();
    }

    @Test
    public void pythonCutsAndQuantizesTheSame() throws Exception {
        JSONArray cases = new JSONArray(Fixtures.text("windows.json"));
        assertTrue(cases.length() > 5);
        for (int number = 0; number < cases.length(); number++) {
            JSONObject json = cases.getJSONObject(number);
            ModelRecord record =
                    ModelRecord.parse("record.json", json.getJSONObject("record").toString(), 4);
            byte[] expected =
                    Fixtures.bytes(new File(Fixtures.folder(), json.getString("windows")));
            ByteBuffer found = ByteBuffer.allocate(expected.length);
            Cube cube = Cube.open(new File(Fixtures.folder(), json.getString("cube")));
            Windows windows = new Windows(cube, record);
            JSONArray corners = json.getJSONArray("corners");
            for (int place = 0; place < corners.length(); place++) {
                JSONArray corner = corners.getJSONArray(place);
                windows.cut(corner.getInt(0), corner.getInt(1), found);
            }
            cube.close();
            assertEquals(expected.length, found.position());
            assertArrayEquals("case " + number, expected, found.array());
        }
    }

    @Test
    public void aModelOfOtherBandsIsRefused() throws Exception {
        Cube cube = Cube.open(Fixtures.cube(folder.newFile(), 4, 5, 3));
        for (ModelRecord record :
                Arrays.asList(Fixtures.record(3, 0, 2), Fixtures.record(5, 0, 3))) {
            try {
                new Windows(cube, record);
                fail("a model that does not fit was taken");
            } catch (BundleException expected) {
                assertTrue(expected.getMessage().contains("does not fit the scene"));
            }
        }
        cube.close();
    }

    private static float[] window(Cube cube, ModelRecord record, int top, int left)
            throws BundleException {
        ByteBuffer buffer = ByteBuffer.allocate(record.input.bytes());
        new Windows(cube, record).cut(top, left, buffer);
        return floats(buffer);
    }

    private static float[] floats(ByteBuffer buffer) {
        buffer.rewind();
        float[] found = new float[buffer.remaining() / 4];
        buffer.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(found);
        return found;
    }
}
