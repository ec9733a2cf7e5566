package org.hsitf.demo;

import android.content.Context;
import android.graphics.Bitmap;
import android.graphics.Canvas;
import android.graphics.Paint;
import android.graphics.Rect;
import android.util.AttributeSet;
import android.view.View;

/** A picture with a pixel of the scene as a square, and its name below. */
public final class MapView extends View {
    private final Paint picture = new Paint();
    private final Paint text = new Paint(Paint.ANTI_ALIAS_FLAG);
    private final Rect place = new Rect();
    private Bitmap bitmap;

    public MapView(Context context, AttributeSet attributes) {
        super(context, attributes);
        // Classes are not to be blended into colors of others.
        picture.setFilterBitmap(false);
        Palette.prepare(text, context);
        // Graphics processors refuse pictures of more pixels than their textures have.
        setLayerType(LAYER_TYPE_SOFTWARE, null);
    }

    /** Shows a picture; one that is changed in place has to be shown again. */
    void show(Bitmap shown) {
        boolean moved =
                bitmap == null
                        || bitmap.getWidth() * shown.getHeight()
                                != shown.getWidth() * bitmap.getHeight();
        bitmap = shown;
        if (moved) {
            requestLayout();
        }
        invalidate();
    }

    @Override
    protected void onMeasure(int widthSpec, int heightSpec) {
        int width = MeasureSpec.getSize(widthSpec);
        int height = width;
        if (bitmap != null) {
            height = (int) Math.min(3L * width, (long) width * bitmap.getHeight() / bitmap.getWidth());
        }
        setMeasuredDimension(width, resolveSize(height + line(), heightSpec));
    }

    private int line() {
        return (int) Math.ceil(1.4 * text.getTextSize());
    }

    @Override
    protected void onDraw(Canvas canvas) {
        int room = getHeight() - line();
        if (bitmap != null) {
            double zoom =
                    Math.min(
                            (double) getWidth() / bitmap.getWidth(),
                            (double) room / bitmap.getHeight());
            place.set(0, 0, (int) (zoom * bitmap.getWidth()), (int) (zoom * bitmap.getHeight()));
            canvas.drawBitmap(bitmap, null, place, picture);
        } else {
            place.set(0, 0, getWidth(), room);
        }
        CharSequence name = getContentDescription();
        canvas.drawText(name, 0, name.length(), 0, place.bottom + text.getTextSize(), text);
    }
}
