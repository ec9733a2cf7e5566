package org.hsitf.demo.core;

import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.json.JSONArray;
import org.json.JSONException;

/** A model in one or two forms, and a scene; every file compared with its SHA-256. */
public final class Bundle {
    public final Scene scene;
    /** Never empty. */
    public final List<Form> forms;

    private Bundle(Scene scene, List<Form> forms) {
        this.scene = scene;
        this.forms = Collections.unmodifiableList(forms);
    }

    /**
     * Reads a bundle that was unpacked.
     *
     * @throws BundleException a file is missing, damaged, exchanged or does not fit the others
     */
    public static Bundle open(File folder) throws BundleException {
        Manifest manifest = Manifest.read(folder);
        Scene scene = new Scene(manifest);
        scene.open().close();
        List<Form> forms = new ArrayList<>();
        JSONArray found = manifest.forms();
        for (int place = 0; place < found.length(); place++) {
            try {
                forms.add(new Form(manifest.part(found.getJSONObject(place)), scene));
            } catch (JSONException error) {
                throw BundleException.damaged(Manifest.NAME, error.getMessage());
            }
        }
        if (forms.isEmpty() || forms.size() > 2) {
            throw BundleException.damaged(Manifest.NAME, forms.size() + " forms of a model");
        }
        return new Bundle(scene, forms);
    }

    /** The form of a kind; null where the bundle has none. */
    public Form form(String kind) {
        for (Form form : forms) {
            if (form.kind.equals(kind)) {
                return form;
            }
        }
        return null;
    }

    /** What it is, in a line. */
    public String title() {
        ModelRecord record = forms.get(0).record;
        String what = scene.synthetic ? ", a synthetic scene" : "";
        return record.network + " " + record.variant + " on " + scene.name + what;
    }
}
