package org.hsitf.demo;

import android.content.Context;
import android.content.res.TypedArray;
import android.graphics.Paint;

/** How the views of this app write text: in the theme's color and the user's size. */
final class Palette {
    private static final float SIZE_SP = 12;

    private Palette() {}

    static void prepare(Paint text, Context context) {
        TypedArray colors =
                context.obtainStyledAttributes(new int[] {android.R.attr.textColorPrimary});
        text.setColor(colors.getColor(0, 0xff808080));
        colors.recycle();
        text.setTextSize(SIZE_SP * context.getResources().getDisplayMetrics().scaledDensity);
    }
}
