package org.hsitf.demo.core;

import static org.junit.Assert.assertEquals;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.json.JSONArray;
import org.json.JSONObject;
import org.junit.Test;

public class QuantizerTest {
    private static final TensorSpec BYTES = new TensorSpec(new int[] {1}, Element.INT8, 0.5f, 10);

    @Test
    public void tiesAreRoundedToEven() {
        float[] real = {0.25f, 0.75f, 1.25f, -0.25f, -0.75f};
        int[] expected = {10, 12, 12, 10, 8};
        for (int place = 0; place < real.length; place++) {
            assertEquals(expected[place], Quantizer.stored(real[place], BYTES));
        }
    }

    @Test
    public void whatDoesNotFitIsSaturated() {
        float[] large = {58.5f, 59, 1e30f, Float.POSITIVE_INFINITY};
        for (float real : large) {
            assertEquals(127, Quantizer.stored(real, BYTES));
            assertEquals(-128, Quantizer.stored(-real - 10.5f, BYTES));
        }
    }

    @Test
    public void pythonRoundsTheSame() throws Exception {
        ByteBuffer real =
                ByteBuffer.wrap(Fixtures.bytes(new File(Fixtures.folder(), "real.bin")))
                        .order(ByteOrder.LITTLE_ENDIAN);
        JSONArray tensors = new JSONArray(Fixtures.text("quantized.json"));
        for (int number = 0; number < tensors.length(); number++) {
            JSONObject json = tensors.getJSONObject(number);
            TensorSpec tensor = TensorSpec.of(json);
            JSONArray expected = json.getJSONArray("stored");
            for (int place = 0; place < expected.length(); place++) {
                assertEquals(
                        tensor + " of " + real.getFloat(4 * place),
                        expected.getInt(place),
                        Quantizer.stored(real.getFloat(4 * place), tensor));
            }
        }
    }
}
