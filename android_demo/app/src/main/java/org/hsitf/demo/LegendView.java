package org.hsitf.demo;

import android.content.Context;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.util.AttributeSet;
import android.view.View;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.hsitf.demo.core.Scene;

/** Names of the classes beside their colors, in as many columns as fit. */
public final class LegendView extends View {
    private final Paint text = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Paint box = new Paint();
    private final List<String> names = new ArrayList<>();
    private final List<Integer> colors = new ArrayList<>();
    private Scene shown;
    private boolean[] marked;

    public LegendView(Context context, AttributeSet attributes) {
        super(context, attributes);
        Palette.prepare(text, context);
    }

    /** Shows the classes that are marked. */
    void show(Scene scene, boolean[] present) {
        if (scene == shown && Arrays.equals(present, marked)) {
            return;
        }
        shown = scene;
        marked = present;
        names.clear();
        colors.clear();
        StringBuilder spoken = new StringBuilder();
        for (int label = 0; label < present.length; label++) {
            if (present[label]) {
                names.add(scene.classNames[label]);
                colors.add(scene.colors[label]);
                spoken.append(scene.classNames[label]).append(", ");
            }
        }
        setContentDescription(spoken);
        requestLayout();
        invalidate();
    }

    private float line() {
        return 1.6f * text.getTextSize();
    }

    private int columns(int width) {
        float widest = 1;
        for (String name : names) {
            widest = Math.max(widest, text.measureText(name));
        }
        return Math.max(1, (int) (width / (widest + 2 * line())));
    }

    @Override
    protected void onMeasure(int widthSpec, int heightSpec) {
        int width = MeasureSpec.getSize(widthSpec);
        int columns = columns(width);
        int lines = (names.size() + columns - 1) / columns;
        setMeasuredDimension(width, resolveSize((int) Math.ceil(lines * line()), heightSpec));
    }

    @Override
    protected void onDraw(Canvas canvas) {
        int columns = columns(getWidth());
        float wide = (float) getWidth() / columns;
        float size = text.getTextSize();
        for (int place = 0; place < names.size(); place++) {
            float left = place % columns * wide;
            float top = place / columns * line() + (line() - size) / 2;
            box.setColor(colors.get(place));
            canvas.drawRect(left, top, left + size, top + size, box);
            canvas.drawText(names.get(place), left + 1.4f * size, top + 0.85f * size, text);
        }
    }
}
