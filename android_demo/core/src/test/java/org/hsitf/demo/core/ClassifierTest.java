package org.hsitf.demo.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.nio.ByteBuffer;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

public class ClassifierTest {
    private static final Watcher ALL =
            new Watcher() {
                @Override
                public boolean goesOn(int pixels) {
                    return true;
                }
            };

    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    /** Says of every pixel the class (row + col) % 4, which it reads off the middle's counts. */
    private static final class Reading implements Engine {
        private final ModelRecord record;
        int runs;

        Reading(ModelRecord record) {
            this.record = record;
        }

        @Override
        public void run(ByteBuffer input, ByteBuffer output) {
            runs++;
            int side = Math.max(record.tile, 1);
            for (int row = 0; row < side; row++) {
                for (int col = 0; col < side; col++) {
                    int middle =
                            (row + record.patch / 2) * record.window() + col + record.patch / 2;
                    int count = Math.round(input.getFloat(4 * middle * record.bands));
                    int label = (count / 1000 + count % 1000 / 10) % 4;
                    for (int other = 0; other < 4; other++) {
                        int place = 4 * ((row * side + col) * 4 + other);
                        output.putFloat(place, other == label ? 1 : 0);
                    }
                }
            }
        }

        @Override
        public void close() {}
    }

    @Test
    public void everyPixelOfEverySizeIsClassifiedByPatchesAndByTiles() throws Exception {
        int[][] sizes = {{3, 3}, {7, 5}, {8, 8}, {5, 16}, {17, 9}};
        for (int[] size : sizes) {
            File path = Fixtures.cube(folder.newFile(), size[0], size[1], 2);
            for (int tile : new int[] {0, 4, 8, 32}) {
                Cube cube = Cube.open(path);
                ModelRecord record = Fixtures.record(3, tile, 2);
                ByteBuffer map = ByteBuffer.allocate(size[0] * size[1]);
                Reading engine = new Reading(record);
                Classifier classifier = new Classifier(cube, record, engine);
                assertTrue(classifier.classify(map, ALL));
                for (int pixel = 0; pixel < map.capacity(); pixel++) {
                    int expected = (pixel / size[1] + pixel % size[1]) % 4 + 1;
                    assertEquals(tile + " at " + pixel, expected, map.get(pixel));
                }
                assertEquals(engine.runs - 1, classifier.latencies.runs());
                cube.close();
            }
        }
    }

    @Test
    public void aWatcherEndsIt() throws Exception {
        Cube cube = Cube.open(Fixtures.cube(folder.newFile(), 6, 5, 2));
        ModelRecord record = Fixtures.record(3, 0, 2);
        ByteBuffer map = ByteBuffer.allocate(30);
        boolean whole =
                new Classifier(cube, record, new Reading(record))
                        .classify(
                                map,
                                new Watcher() {
                                    @Override
                                    public boolean goesOn(int pixels) {
                                        return pixels < 12;
                                    }
                                });
        assertFalse(whole);
        assertTrue(map.get(11) > 0);
        assertEquals(0, map.get(12));
        cube.close();
    }

    @Test
    public void ofEqualOutputsTheFirstWins() throws Exception {
        Cube cube = Cube.open(Fixtures.cube(folder.newFile(), 3, 3, 1));
        ByteBuffer map = ByteBuffer.allocate(9);
        new Classifier(
                        cube,
                        Fixtures.record(1, 0, 1),
                        new Engine() {
                            @Override
                            public void run(ByteBuffer input, ByteBuffer output) {
                                for (int label = 0; label < 4; label++) {
                                    output.putFloat(4 * label, label == 0 ? -1 : 2);
                                }
                            }

                            @Override
                            public void close() {}
                        })
                .classify(map, ALL);
        assertEquals(2, map.get(0));
        cube.close();
    }

    @Test
    public void heapDoesNotGrowWithRows() throws Exception {
        long small = heap(145);
        long large = heap(20 * 145);
        assertTrue(small + " and " + large, large < small + (4 << 20));
        assertTrue("" + large, large < 64 << 20);
        System.out.printf("heap: %.1f MB at 145 rows, %.1f MB at 2900%n", small / 1e6, large / 1e6);
    }

    /** Heap that is in use while the last tile of 145 cols and 200 bands is computed. */
    private long heap(int rows) throws Exception {
        final long[] used = {0};
        File path = Fixtures.cube(folder.newFile(), rows, 145, 200);
        Cube cube = Cube.open(path);
        final ModelRecord record = Fixtures.record(9, 64, 200);
        final int pixels = rows * 145;
        Engine engine =
                new Engine() {
                    @Override
                    public void run(ByteBuffer input, ByteBuffer output) {}

                    @Override
                    public void close() {}
                };
        new Classifier(cube, record, engine)
                .classify(
                        ByteBuffer.allocateDirect(pixels),
                        new Watcher() {
                            @Override
                            public boolean goesOn(int done) {
                                if (done == pixels) {
                                    System.gc();
                                    Runtime java = Runtime.getRuntime();
                                    used[0] = java.totalMemory() - java.freeMemory();
                                }
                                return true;
                            }
                        });
        cube.close();
        return used[0];
    }
}
