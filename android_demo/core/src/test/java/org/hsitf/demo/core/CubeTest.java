package org.hsitf.demo.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

public class CubeTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    @Test
    public void rowsAreReadBandByBand() throws Exception {
        Cube cube = Cube.open(Fixtures.cube(folder.newFile(), 3, 2, 4));
        short[] counts = new short[8];
        cube.row(2, counts);
        assertArrayEquals(
                new short[] {2000, 2010, 2001, 2011, 2002, 2012, 2003, 2013}, counts);
        cube.row(0, counts);
        assertArrayEquals(new short[] {0, 10, 1, 11, 2, 12, 3, 13}, counts);
        cube.close();
    }

    @Test
    public void headerTellsUnits() throws Exception {
        File path = folder.newFile();
        byte[] content = java.util.Arrays.copyOf(Fixtures.header(1, 1, 1, 0.5f, -3f), 66);
        content[64] = (byte) 0xff;
        content[65] = (byte) 0xff;
        Fixtures.write(path, content);
        Cube cube = Cube.open(path);
        short[] counts = new short[1];
        cube.row(0, counts);
        assertEquals(65535, counts[0] & 0xffff);
        assertEquals(0.5f, cube.gain, 0);
        assertEquals(-3f, cube.offset, 0);
        cube.close();
    }

    @Test
    public void anotherSizeThanTheHeaderSaysIsRefused() throws Exception {
        File path = Fixtures.cube(folder.newFile(), 3, 2, 4);
        byte[] whole = Fixtures.bytes(path);
        for (int length : new int[] {0, 10, 64, whole.length - 1}) {
            Fixtures.write(path, java.util.Arrays.copyOf(whole, length));
            refused(path);
        }
        Fixtures.write(path, java.util.Arrays.copyOf(whole, whole.length + 1));
        refused(path);
    }

    @Test
    public void absurdHeadersAreRefused() throws Exception {
        File path = folder.newFile();
        int[][] sizes = {
            {0, 1, 1}, {-1, 1, 1}, {1, 1, Integer.MAX_VALUE}, {1 << 16, 1 << 16, 1 << 16},
            {Integer.MAX_VALUE, Integer.MAX_VALUE, Integer.MAX_VALUE}
        };
        for (int[] size : sizes) {
            Fixtures.write(path, Fixtures.header(size[0], size[1], size[2], 1, 0));
            refused(path);
        }
        byte[] foreign = Fixtures.header(1, 1, 1, 1, 0);
        foreign[0] = 'X';
        Fixtures.write(path, java.util.Arrays.copyOf(foreign, 66));
        refused(path);
    }

    @Test
    public void cubesTravelAsPythonWritesThem() throws Exception {
        for (String name : new String[] {"counts", "negative", "floats"}) {
            byte[] whole = Fixtures.bytes(new File(Fixtures.folder(), name + ".bil"));
            byte[] delta = Fixtures.bytes(new File(Fixtures.folder(), name + ".delta"));
            ByteArrayOutputStream found = new ByteArrayOutputStream();
            assertTrue(Delta.restore(new ByteArrayInputStream(delta), found, whole.length));
            assertArrayEquals(whole, found.toByteArray());
        }
    }

    @Test
    public void travellersThatAreNoneAreRefused() throws Exception {
        byte[] header = Fixtures.header(1 << 20, 1 << 10, 1 << 10, 1, 0);
        assertFalse(
                Delta.restore(
                        new ByteArrayInputStream(header), new ByteArrayOutputStream(), 1 << 30));
        byte[][] others = {
            new byte[3], Fixtures.header(2, 2, 2, 1, 0), Fixtures.header(-1, 2, 2, 1, 0),
            Fixtures.header(1, Integer.MAX_VALUE, Integer.MAX_VALUE, 1, 0)
        };
        for (byte[] other : others) {
            try {
                Delta.restore(
                        new ByteArrayInputStream(other), new ByteArrayOutputStream(), 1 << 30);
                fail("a cube that is none was restored");
            } catch (IOException expected) {
                // It says so in the way of streams.
            }
        }
    }

    private static void refused(File path) throws IOException {
        try {
            Cube.open(path).close();
            fail("a cube that is none was opened");
        } catch (BundleException expected) {
            assertTrue(expected.getMessage(), expected.getMessage().contains("export it again"));
        }
    }
}
