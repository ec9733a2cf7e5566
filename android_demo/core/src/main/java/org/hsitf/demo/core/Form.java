package org.hsitf.demo.core;

import java.io.File;

/** A model in one of its forms, with what it has to repeat. */
public final class Form {
    /** "patches" or "tiles". */
    public final String kind;
    public final File model;
    public final ModelRecord record;
    /** (rows, cols) the classes that the exporter's runtime gives every pixel. */
    public final byte[] expected;
    final byte[] inputs;
    final byte[] outputs;
    final byte[] pixels;

    Form(Manifest manifest, Scene scene) throws BundleException {
        kind = manifest.text("kind");
        record =
                ModelRecord.parse(
                        manifest.text("record"), manifest.string("record"), scene.classNames.length);
        if (!kind.equals(record.tile > 0 ? "tiles" : "patches")) {
            throw BundleException.damaged(Manifest.NAME, "a form called " + kind);
        }
        model = manifest.file("model");
        if (!Manifest.sha256(model).equals(record.sha256)) {
            throw BundleException.damaged(model.getName(), "another SHA-256 than its record has");
        }
        expected = manifest.bytes("map", scene.rows * scene.cols);
        inputs = manifest.bytes("inputs");
        outputs = manifest.bytes("outputs");
        pixels = manifest.bytes("pixels");
        int runs = inputs.length / record.input.bytes();
        int windows = record.tile > 0 ? runs : runs * record.batch;
        boolean fitting = runs > 0 && inputs.length == runs * record.input.bytes();
        fitting &= outputs.length == runs * record.output.bytes();
        if (!fitting || pixels.length != 4 * windows) {
            throw BundleException.damaged(Manifest.NAME, "golden vectors of other sizes");
        }
    }
}
