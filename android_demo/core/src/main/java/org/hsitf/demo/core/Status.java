package org.hsitf.demo.core;

import java.util.Locale;

/** What is known of a run, in lines for the screen. */
public final class Status {
    private Status() {}

    /** Accuracy, speed and latency so far. */
    public static String text(Score score, int pixels, double seconds, Latencies latencies) {
        StringBuilder text = new StringBuilder();
        line(text, "%,d of %,d pixels, %,.0f pixels/s", score.classified, pixels,
                score.classified / Math.max(seconds, 1e-9));
        if (score.tested > 0) {
            line(text, "OA %.2f %% on %,d test pixels", 100 * score.accuracy(), score.tested);
        }
        if (score.classified > 0) {
            line(text, "%,d pixels other than in the exporter's map", score.classified - score.alike);
        }
        if (latencies.runs() > 0) {
            line(text, "Inference: p50 %.3f, p90 %.3f, p99 %.3f ms, first %.1f ms",
                    latencies.percentileMs(50), latencies.percentileMs(90),
                    latencies.percentileMs(99), latencies.firstMs());
        }
        return text.toString();
    }

    /** What a model and memory take. */
    public static String sizes(long model, long peakMemory) {
        String text = String.format(Locale.US, "Model %,d bytes", model);
        if (peakMemory > 0) {
            text += String.format(Locale.US, ", peak memory %.1f MB", peakMemory / 1e6);
        }
        return text;
    }

    private static void line(StringBuilder text, String format, Object... values) {
        if (text.length() > 0) {
            text.append('\n');
        }
        text.append(String.format(Locale.US, format, values));
    }
}
