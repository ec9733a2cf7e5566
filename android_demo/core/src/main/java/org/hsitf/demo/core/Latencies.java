package org.hsitf.demo.core;

import java.util.Arrays;

/** Times of inferences. All but the first count; of very many the last 65,536. */
public final class Latencies {
    static final int KEPT = 1 << 16;

    private long[] runs = new long[256];
    private long count;
    private long first;
    private long begin;

    /** Adds a time in nanoseconds. */
    public synchronized void add(long nanoseconds) {
        if (count == 0) {
            first = nanoseconds;
        } else {
            int place = (int) ((count - 1) % KEPT);
            if (place >= runs.length) {
                runs = Arrays.copyOf(runs, Math.min(2 * runs.length, KEPT));
            }
            runs[place] = nanoseconds;
            begin = count == 1 ? nanoseconds : begin;
        }
        count++;
    }

    /** Times that count. */
    public synchronized int runs() {
        return (int) Math.min(Math.max(count - 1, 0), KEPT);
    }

    /** The first inference in milliseconds; NaN before it. */
    public synchronized double firstMs() {
        return count == 0 ? Double.NaN : first / 1e6;
    }

    /** Milliseconds within which {@code q} percent of the inferences ended; NaN before the second. */
    public synchronized double percentileMs(double q) {
        if (runs() == 0) {
            return Double.NaN;
        }
        double[] sorted = new double[runs()];
        for (int place = 0; place < sorted.length; place++) {
            sorted[place] = runs[place] / 1e6;
        }
        Arrays.sort(sorted);
        return percentile(sorted, q);
    }

    /** The first of those that count, in milliseconds; NaN before the second inference. */
    public synchronized double beginMs() {
        return count < 2 ? Double.NaN : begin / 1e6;
    }

    /** The last inference in milliseconds; NaN before the second. */
    public synchronized double lastMs() {
        return count < 2 ? Double.NaN : runs[(int) ((count - 2) % KEPT)] / 1e6;
    }

    /** Mean in milliseconds; NaN before the second inference. */
    public synchronized double meanMs() {
        double sum = 0;
        for (int place = 0; place < runs(); place++) {
            sum += runs[place] / 1e6;
        }
        return sum / runs();
    }

    /** Standard deviation in milliseconds, of all that count; NaN before the second inference. */
    public synchronized double deviationMs() {
        double mean = meanMs();
        double sum = 0;
        for (int place = 0; place < runs(); place++) {
            double deviation = runs[place] / 1e6 - mean;
            sum += deviation * deviation;
        }
        return Math.sqrt(sum / runs());
    }

    /** Linear between neighbors, as NumPy does by default and with its rounding. */
    static double percentile(double[] sorted, double q) {
        double place = q / 100 * (sorted.length - 1);
        int below = (int) Math.floor(place);
        int above = Math.min(below + 1, sorted.length - 1);
        double part = place - below;
        double step = sorted[above] - sorted[below];
        return part >= 0.5 ? sorted[above] - step * (1 - part) : sorted[below] + step * part;
    }
}
