package org.hsitf.demo.core;

import java.io.File;

/** The scene of a bundle. */
public final class Scene {
    /** In {@link #sets}: a pixel that judges. */
    public static final byte TEST = 3;
    /** Three pictures of so many pixels take 200 MB. */
    private static final int MOST_PIXELS = 1 << 24;

    public final String name;
    /** Whether it was generated, not measured. */
    public final boolean synthetic;
    public final int rows;
    public final int cols;
    public final int bands;
    /** Whether the cube is the exporter's own to the bit. */
    public final boolean exact;
    public final String[] classNames;
    /** One a class, 0xffrrggbb. */
    public final int[] colors;
    /** (rows, cols) classes from 1, 0 = unlabelled. */
    public final byte[] truth;
    /** (rows, cols): 0 in no set, 1 training, 2 validation, 3 test. */
    public final byte[] sets;
    public final File cube;
    public final File preview;

    Scene(Manifest manifest) throws BundleException {
        name = manifest.text("scene");
        synthetic = manifest.flag("synthetic");
        rows = manifest.number("rows");
        cols = manifest.number("cols");
        bands = manifest.number("bands");
        exact = manifest.flag("exact");
        classNames = manifest.classNames();
        colors = manifest.colors();
        if (rows < 1 || cols < 1) {
            throw BundleException.damaged(Manifest.NAME, rows + " x " + cols + " pixels");
        }
        if ((long) rows * cols > MOST_PIXELS) {
            throw new BundleException(
                    "the scene is too large to be shown whole",
                    rows + " x " + cols + " pixels",
                    "export a part of it, of " + MOST_PIXELS + " pixels at most");
        }
        truth = manifest.bytes("truth", rows * cols);
        sets = manifest.bytes("sets", rows * cols);
        cube = manifest.file("cube");
        preview = manifest.file("preview");
    }

    /** Opens the cube; who opens it closes it. */
    public Cube open() throws BundleException {
        Cube found = Cube.open(cube);
        if (found.rows != rows || found.cols != cols || found.bands != bands) {
            found.close();
            throw new BundleException(
                    "the cube is of another size than the bundle says",
                    found.rows + " x " + found.cols + " x " + found.bands,
                    "export it again");
        }
        return found;
    }
}
