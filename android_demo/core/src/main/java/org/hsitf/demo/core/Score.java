package org.hsitf.demo.core;

import java.nio.ByteBuffer;

/** How many of the classified pixels carry the class of the ground truth. */
public final class Score {
    /** Test pixels that are classified so far, and those of them that are right. */
    public final int tested;
    public final int right;
    /** Classified pixels, and those that the exporter's map names alike. */
    public final int classified;
    public final int alike;

    private Score(int tested, int right, int classified, int alike) {
        this.tested = tested;
        this.right = right;
        this.classified = classified;
        this.alike = alike;
    }

    /** Compares a map, 0 where nothing is classified yet, with a scene's truth. */
    public static Score of(ByteBuffer map, Scene scene, byte[] expected) {
        int tested = 0;
        int right = 0;
        int classified = 0;
        int alike = 0;
        for (int pixel = 0; pixel < scene.truth.length; pixel++) {
            byte label = map.get(pixel);
            if (label != 0) {
                classified++;
                alike += label == expected[pixel] ? 1 : 0;
                if (scene.sets[pixel] == Scene.TEST) {
                    tested++;
                    right += label == scene.truth[pixel] ? 1 : 0;
                }
            }
        }
        return new Score(tested, right, classified, alike);
    }

    /** Overall accuracy on the test pixels so far, 0 to 1; NaN where there is none. */
    public double accuracy() {
        return tested == 0 ? Double.NaN : (double) right / tested;
    }
}
