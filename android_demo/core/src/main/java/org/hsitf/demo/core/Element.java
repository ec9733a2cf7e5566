package org.hsitf.demo.core;

/** How a tensor stores a number; little-endian where it takes several bytes. */
public enum Element {
    FLOAT32(4, 0, 0),
    INT8(1, Byte.MIN_VALUE, Byte.MAX_VALUE),
    UINT8(1, 0, 255),
    INT16(2, Short.MIN_VALUE, Short.MAX_VALUE);

    /** Bytes a number takes. */
    public final int bytes;

    final float least;
    final float most;

    Element(int bytes, float least, float most) {
        this.bytes = bytes;
        this.least = least;
        this.most = most;
    }

    static Element of(String dtype) throws BundleException {
        for (Element element : values()) {
            if (element.name().equalsIgnoreCase(dtype)) {
                return element;
            }
        }
        throw new BundleException(
                "the model stores numbers in a way that this app does not know",
                dtype,
                "export float32 or int8");
    }
}
