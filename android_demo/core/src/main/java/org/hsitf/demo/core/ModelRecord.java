package org.hsitf.demo.core;

import java.util.Arrays;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** The fields of {@code record.json} that a device needs. */
public final class ModelRecord {
    /** Network's name, such as "cao". */
    public final String network;
    /** Kind of file, such as "int8". */
    public final String variant;
    public final long bytes;
    public final String sha256;
    /** Patches an inference takes. */
    public final int batch;
    /** Side of the tile an inference takes, in pixels; 0 where it takes patches. */
    public final int tile;
    /** Side of a patch in pixels. */
    public final int patch;
    public final int bands;
    /** Overall accuracy on the test pixels, 0 to 1, as the exporter measured it. */
    public final double accuracy;
    /** Preprocessing of the sensor's units that is folded into the model; empty where none is. */
    public final String foldedPreprocessing;
    public final TensorSpec input;
    public final TensorSpec output;
    /** How far other kernels than the exporter's may be from golden outputs; 0 where unknown. */
    public final float goldenTolerance;
    /** One a band: {@code (value - offset) / scale} is what goes in. */
    final float[] offsets;
    final float[] scales;

    private ModelRecord(JSONObject json) throws JSONException, BundleException {
        network = json.getString("model");
        variant = json.getString("variant");
        bytes = json.getLong("bytes");
        sha256 = json.getString("sha256");
        batch = json.getInt("batch");
        tile = json.getInt("tile");
        patch = json.getInt("patch");
        bands = json.getInt("bands");
        accuracy = json.getDouble("oa");
        // Records of schema 1 have the key "fused".
        foldedPreprocessing = json.optString("folded_preprocessing", json.optString("fused", ""));
        input = TensorSpec.of(json.getJSONObject("input"));
        output = TensorSpec.of(json.getJSONObject("output"));
        JSONObject golden = json.optJSONObject("golden");
        goldenTolerance = golden == null ? 0 : (float) golden.optDouble("largest", 0);
        offsets = floats(json.getJSONObject("normalizer").getJSONArray("offset"));
        scales = floats(json.getJSONObject("normalizer").getJSONArray("scale"));
    }

    /**
     * Reads a record and checks that its numbers fit each other.
     *
     * @throws BundleException it is not a record, or not one of a model that this app can run
     */
    static ModelRecord parse(String name, String text, int classes) throws BundleException {
        ModelRecord record;
        try {
            record = new ModelRecord(new JSONObject(text));
        } catch (JSONException error) {
            throw BundleException.damaged(name, error.getMessage());
        }
        record.check(name, classes);
        return record;
    }

    /** Pixels along the side of what an inference takes. */
    public int window() {
        return tile > 0 ? tile + patch - 1 : patch;
    }

    private void check(String name, int classes) throws BundleException {
        boolean sane = batch > 0 && batch <= 4096 && tile >= 0 && tile <= 1024;
        sane &= patch > 0 && patch <= 512 && bands > 0 && bands <= 65536;
        if (!sane || offsets.length != bands || scales.length != bands) {
            throw BundleException.damaged(name, "sizes that do not fit each other");
        }
        int[] in = {tile > 0 ? 1 : batch, window(), window(), bands};
        int[] out = tile > 0 ? new int[] {1, tile, tile, classes} : new int[] {batch, classes};
        if (!Arrays.equals(input.shape, in) || !Arrays.equals(output.shape, out)) {
            throw new BundleException(
                    "the model's input or output does not fit the scene",
                    input + " to " + output,
                    "export model and scene together");
        }
    }

    private static float[] floats(JSONArray numbers) throws JSONException {
        float[] found = new float[numbers.length()];
        for (int place = 0; place < found.length; place++) {
            found[place] = (float) numbers.getDouble(place);
        }
        return found;
    }
}
