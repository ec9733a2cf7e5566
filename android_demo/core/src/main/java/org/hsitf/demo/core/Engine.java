package org.hsitf.demo.core;

import java.nio.ByteBuffer;

/** What runs a model. */
public interface Engine {
    /** One inference, from one direct buffer to another, both at their beginning. */
    void run(ByteBuffer input, ByteBuffer output);

    /** Gives back what it holds. */
    void close();
}
