package org.hsitf.demo.core;

/**
 * From a sensor's counts to what a model stores, in 32-bit floats and in the order that the
 * exporter computes in, so that both give the same bits.
 */
final class Quantizer {
    private final float gain;
    private final float offset;
    private final float[] offsets;
    private final float[] scales;
    private final TensorSpec tensor;

    Quantizer(float gain, float offset, ModelRecord record) {
        this.gain = gain;
        this.offset = offset;
        this.offsets = record.offsets;
        this.scales = record.scales;
        this.tensor = record.input;
    }

    /** Writes what a count of a band becomes, little-endian, into {@code into} from {@code at}. */
    void store(int count, int band, byte[] into, int at) {
        float value = (float) count * gain + offset;
        float normalized = (value - offsets[band]) / scales[band];
        if (tensor.element == Element.FLOAT32) {
            int bits = Float.floatToRawIntBits(normalized);
            into[at] = (byte) bits;
            into[at + 1] = (byte) (bits >> 8);
            into[at + 2] = (byte) (bits >> 16);
            into[at + 3] = (byte) (bits >> 24);
            return;
        }
        int stored = stored(normalized, tensor);
        into[at] = (byte) stored;
        if (tensor.element == Element.INT16) {
            into[at + 1] = (byte) (stored >> 8);
        }
    }

    /** q = round(x / scale) + zero point, ties to even, saturated. */
    static int stored(float real, TensorSpec tensor) {
        float steps = (float) Math.rint(real / tensor.scale) + (float) tensor.zeroPoint;
        return (int) Math.max(tensor.element.least, Math.min(tensor.element.most, steps));
    }
}
