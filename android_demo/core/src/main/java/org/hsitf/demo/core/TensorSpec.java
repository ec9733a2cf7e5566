package org.hsitf.demo.core;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.json.JSONArray;
import org.json.JSONException;
import org.json.JSONObject;

/** An input or output of a model: {@code real = scale * (stored - zeroPoint)} for integers. */
public final class TensorSpec {
    /** Sizes of the axes. */
    public final int[] shape;
    public final Element element;
    /** Of integers; 0 for floats. */
    public final float scale;
    public final int zeroPoint;

    TensorSpec(int[] shape, Element element, float scale, int zeroPoint) {
        this.shape = shape.clone();
        this.element = element;
        this.scale = scale;
        this.zeroPoint = zeroPoint;
    }

    static TensorSpec of(JSONObject json) throws JSONException, BundleException {
        JSONArray sizes = json.getJSONArray("shape");
        int[] shape = new int[sizes.length()];
        for (int axis = 0; axis < shape.length; axis++) {
            shape[axis] = sizes.getInt(axis);
        }
        Element element = Element.of(json.getString("dtype"));
        boolean quantized = element != Element.FLOAT32 && !json.isNull("scale");
        if (element != Element.FLOAT32 && !quantized) {
            throw BundleException.damaged("record.json", element + " without scale");
        }
        float scale = quantized ? (float) json.getDouble("scale") : 0;
        return new TensorSpec(shape, element, scale, quantized ? json.getInt("zero_point") : 0);
    }

    /** Numbers that it holds. */
    public int size() {
        int size = 1;
        for (int axis : shape) {
            size = Math.multiplyExact(size, axis);
        }
        return size;
    }

    /** Bytes that it takes. */
    public int bytes() {
        return Math.multiplyExact(size(), element.bytes);
    }

    /** The number at a place, as it is stored. */
    float stored(ByteBuffer values, int place) {
        switch (element) {
            case FLOAT32:
                return values.getFloat(4 * place);
            case INT16:
                return values.getShort(2 * place);
            case UINT8:
                return values.get(place) & 0xff;
            default:
                return values.get(place);
        }
    }

    @Override
    public String toString() {
        return element.name().toLowerCase(java.util.Locale.ROOT) + Arrays.toString(shape);
    }
}
