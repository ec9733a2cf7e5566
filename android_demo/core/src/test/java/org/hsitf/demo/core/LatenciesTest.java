package org.hsitf.demo.core;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

public class LatenciesTest {
    @Test
    public void theFirstDoesNotCount() {
        Latencies latencies = new Latencies();
        assertTrue(Double.isNaN(latencies.firstMs()));
        latencies.add(9_000_000);
        assertEquals(0, latencies.runs());
        assertTrue(Double.isNaN(latencies.percentileMs(50)));
        for (int ms : new int[] {4, 1, 3, 2}) {
            latencies.add(ms * 1_000_000);
        }
        assertEquals(9, latencies.firstMs(), 0);
        assertEquals(2.5, latencies.percentileMs(50), 0);
        assertEquals(4, latencies.percentileMs(100), 0);
        assertEquals(1, latencies.percentileMs(0), 0);
        assertEquals(3.7, latencies.percentileMs(90), 1e-15);
        assertEquals(4, latencies.beginMs(), 0);
        assertEquals(2, latencies.lastMs(), 0);
        assertEquals(2.5, latencies.meanMs(), 1e-15);
        assertEquals(Math.sqrt(1.25), latencies.deviationMs(), 1e-15);
    }

    @Test
    public void ofVeryManyTheLastAreKept() {
        Latencies latencies = new Latencies();
        for (int run = 0; run < 3 * Latencies.KEPT; run++) {
            latencies.add(run < 2 * Latencies.KEPT ? 1_000_000 : 2_000_000);
        }
        latencies.add(2_000_000);
        assertEquals(Latencies.KEPT, latencies.runs());
        assertEquals(2, latencies.percentileMs(0), 0);
    }

    @Test
    public void pythonFindsTheSamePercentiles() throws Exception {
        JSONArray cases = new JSONArray(Fixtures.text("percentiles.json"));
        for (int number = 0; number < cases.length(); number++) {
            JSONObject json = cases.getJSONObject(number);
            double[] sorted = new double[json.getJSONArray("runs").length()];
            for (int place = 0; place < sorted.length; place++) {
                sorted[place] = json.getJSONArray("runs").getDouble(place);
            }
            java.util.Arrays.sort(sorted);
            JSONArray expected = json.getJSONArray("percentiles");
            int[] wanted = {50, 90, 99};
            for (int place = 0; place < wanted.length; place++) {
                assertEquals(
                        expected.getDouble(place), Latencies.percentile(sorted, wanted[place]), 0);
            }
        }
    }
}
