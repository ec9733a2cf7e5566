package org.hsitf.demo.core;

import org.json.JSONException;
import org.json.JSONObject;

/** What a run on a device came to. */
public final class Measured {
    public final Form form;
    public final String delegate;
    public final int threads;
    public final Latencies latencies;
    public final Score score;
    /** Of the whole classification, cutting included. */
    public final double seconds;
    /** Largest resident memory of the process in bytes; 0 where unknown. */
    public final long peakMemory;
    /** Null where it was not replayed. */
    public final GoldenVectors golden;

    public Measured(
            Form form,
            Settings settings,
            Latencies latencies,
            Score score,
            double seconds,
            long peakMemory,
            GoldenVectors golden) {
        this.form = form;
        this.delegate = settings.delegate.name;
        this.threads = settings.threads;
        this.latencies = latencies;
        this.score = score;
        this.seconds = seconds;
        this.peakMemory = peakMemory;
        this.golden = golden;
    }

    /** Pixels classified a second, cutting included. */
    public double pixelsPerSecond() {
        return score.classified / Math.max(seconds, 1e-9);
    }

    /** As the desktop reads it. */
    public JSONObject json() throws JSONException {
        JSONObject json = new JSONObject();
        json.put("form", form.kind);
        json.put("model", form.record.network);
        json.put("variant", form.record.variant);
        json.put("sha256", form.record.sha256);
        json.put("delegate", delegate);
        json.put("threads", threads);
        json.put("bytes", form.record.bytes);
        json.put("runs", latencies.runs());
        put(json, "first_ms", latencies.firstMs());
        for (int q : new int[] {0, 25, 50, 75, 90, 99, 100}) {
            put(json, "p" + q + "_ms", latencies.percentileMs(q));
        }
        put(json, "mean_ms", latencies.meanMs());
        put(json, "std_ms", latencies.deviationMs());
        put(json, "begin_ms", latencies.beginMs());
        put(json, "last_ms", latencies.lastMs());
        json.put("seconds", seconds);
        json.put("pixels", score.classified);
        json.put("pixels_per_second", pixelsPerSecond());
        json.put("peak_memory", peakMemory);
        put(json, "oa", score.accuracy());
        json.put("alike", score.alike);
        if (golden != null) {
            json.put("golden_outputs", golden.outputs);
            json.put("golden_differing", golden.differing);
            put(json, "golden_largest", golden.largest);
            json.put("golden_cut_differing", golden.cutDiffering);
        }
        return json;
    }

    /** JSON knows no number that is none; what is not known is left out. */
    private static void put(JSONObject json, String key, double value) throws JSONException {
        if (!Double.isNaN(value) && !Double.isInfinite(value)) {
            json.put(key, value);
        }
    }
}
