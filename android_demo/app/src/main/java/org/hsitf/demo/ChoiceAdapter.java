package org.hsitf.demo;

import android.content.Context;
import android.view.View;
import android.view.ViewGroup;
import android.widget.ArrayAdapter;
import java.util.List;

/** Choices in a spinner; those that this device or bundle does not support are grey, with the reason. */
final class ChoiceAdapter<T> extends ArrayAdapter<Choice<T>> {
    ChoiceAdapter(Context context, List<Choice<T>> choices) {
        super(context, android.R.layout.simple_spinner_item, choices);
        setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item);
    }

    @Override
    public boolean areAllItemsEnabled() {
        return false;
    }

    @Override
    public boolean isEnabled(int position) {
        return getItem(position).missing == null;
    }

    @Override
    public View getDropDownView(int position, View recycled, ViewGroup parent) {
        View view = super.getDropDownView(position, recycled, parent);
        view.setEnabled(isEnabled(position));
        return view;
    }
}
