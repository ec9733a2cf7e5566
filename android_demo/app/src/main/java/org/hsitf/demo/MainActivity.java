package org.hsitf.demo;

import android.app.Activity;
import android.app.AlertDialog;
import android.content.ActivityNotFoundException;
import android.content.DialogInterface;
import android.content.Intent;
import android.graphics.Bitmap;
import android.graphics.BitmapFactory;
import android.os.Bundle;
import android.os.Handler;
import android.os.Looper;
import android.view.View;
import android.view.WindowManager;
import android.widget.Button;
import android.widget.ProgressBar;
import android.widget.Spinner;
import android.widget.TextView;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.hsitf.demo.core.Form;
import org.hsitf.demo.core.Pictures;
import org.hsitf.demo.core.Scene;
import org.hsitf.demo.core.Settings;

/** The one screen: scene, ground truth and the growing map; how to run the model; what it took. */
public final class MainActivity extends Activity implements Session.Listener {
    private static final int OPEN = 1;
    /** Milliseconds between two looks at a classification that is running. */
    private static final int LOOK = 200;
    private static final String FORM = "form";
    private static final String DELEGATE = "delegate";
    private static final String THREADS = "threads";

    private final Handler handler = new Handler(Looper.getMainLooper());
    private final Runnable look =
            new Runnable() {
                @Override
                public void run() {
                    draw();
                    if (session.busy() != null) {
                        handler.postDelayed(this, LOOK);
                    }
                }
            };
    private Session session;
    private org.hsitf.demo.core.Bundle shown;
    private Bitmap picture;
    private int[] colors;
    private AlertDialog dialog;
    private int[] selected;
    private TextView title;
    private MapView preview;
    private MapView truth;
    private MapView map;
    private LegendView legend;
    private Spinner form;
    private Spinner delegate;
    private Spinner threads;
    private Button classify;
    private Button selfTest;
    private Button open;
    private ProgressBar progress;
    private TextView status;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        session = ((Demo) getApplication()).session();
        setContentView(R.layout.main);
        find();
        listen();
        selected =
                state == null
                        ? new int[] {-1, 0, -1}
                        : new int[] {
                            state.getInt(FORM, -1), state.getInt(DELEGATE), state.getInt(THREADS, -1)
                        };
        if (state == null) {
            benchmark(getIntent());
        }
        if (session.bundle() == null) {
            session.open(getString(R.string.loading));
        }
    }

    @Override
    protected void onNewIntent(Intent intent) {
        super.onNewIntent(intent);
        setIntent(intent);
        benchmark(intent);
    }

    private void benchmark(Intent intent) {
        Benchmark benchmark = Benchmark.of(this, intent);
        if (benchmark != null) {
            getWindow().addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON);
            session.benchmark(benchmark, "benchmark");
        }
    }

    private void find() {
        title = (TextView) findViewById(R.id.title);
        preview = (MapView) findViewById(R.id.preview);
        truth = (MapView) findViewById(R.id.truth);
        map = (MapView) findViewById(R.id.map);
        legend = (LegendView) findViewById(R.id.legend);
        form = (Spinner) findViewById(R.id.form);
        delegate = (Spinner) findViewById(R.id.delegate);
        threads = (Spinner) findViewById(R.id.threads);
        classify = (Button) findViewById(R.id.classify);
        selfTest = (Button) findViewById(R.id.self_test);
        open = (Button) findViewById(R.id.open);
        progress = (ProgressBar) findViewById(R.id.progress);
        status = (TextView) findViewById(R.id.status);
    }

    private void listen() {
        classify.setOnClickListener(
                        new View.OnClickListener() {
                            @Override
                            public void onClick(View view) {
                                if (session.busy() == null) {
                                    session.classify(settings(), getString(R.string.classify));
                                } else {
                                    session.cancel();
                                }
                            }
                        });
        selfTest.setOnClickListener(
                        new View.OnClickListener() {
                            @Override
                            public void onClick(View view) {
                                session.selfTest(settings(), getString(R.string.self_test));
                            }
                        });
        open.setOnClickListener(
                        new View.OnClickListener() {
                            @Override
                            public void onClick(View view) {
                                choose();
                            }
                        });
    }

    private void choose() {
        Intent intent = new Intent(Intent.ACTION_OPEN_DOCUMENT);
        intent.addCategory(Intent.CATEGORY_OPENABLE);
        // Providers disagree about the type of archives.
        intent.setType("*/*");
        try {
            startActivityForResult(intent, OPEN);
        } catch (ActivityNotFoundException error) {
            show(R.string.problem, "This device has no app that opens documents.");
        }
    }

    @Override
    protected void onActivityResult(int request, int result, Intent data) {
        super.onActivityResult(request, result, data);
        if (request == OPEN && result == RESULT_OK && data != null && data.getData() != null) {
            session.take(data.getData(), getString(R.string.loading));
        }
    }

    @Override
    protected void onStart() {
        super.onStart();
        session.listen(this);
        changed();
    }

    @Override
    protected void onStop() {
        // The work goes on; it is not looked at meanwhile.
        session.listen(null);
        handler.removeCallbacks(look);
        super.onStop();
    }

    @Override
    protected void onDestroy() {
        if (dialog != null) {
            dialog.dismiss();
        }
        super.onDestroy();
    }

    @Override
    protected void onSaveInstanceState(Bundle state) {
        super.onSaveInstanceState(state);
        if (shown != null) {
            state.putInt(FORM, form.getSelectedItemPosition());
            state.putInt(DELEGATE, delegate.getSelectedItemPosition());
            state.putInt(THREADS, threads.getSelectedItemPosition());
        }
    }

    @Override
    public void changed() {
        if (session.bundle() != null && session.bundle() != shown) {
            try {
                fill();
            } catch (OutOfMemoryError error) {
                shown = null;
                session.refuse("There is not enough memory to show this scene; open another one.");
            }
        }
        boolean idle = session.busy() == null;
        boolean there = session.bundle() != null;
        boolean classifying = getString(R.string.classify).equals(session.busy());
        classify.setText(classifying ? R.string.cancel : R.string.classify);
        classify.setEnabled(there && (idle || classifying));
        for (View view : new View[] {form, delegate, threads, selfTest}) {
            view.setEnabled(idle && there);
        }
        open.setEnabled(idle);
        handler.removeCallbacks(look);
        look.run();
        if (session.problem() != null) {
            show(R.string.problem, session.problem());
        } else if (session.news() != null) {
            show(R.string.self_test_result, session.news());
        }
    }

    /** Shows a bundle: what does not change while it is classified. */
    private void fill() {
        shown = session.bundle();
        Scene scene = shown.scene;
        title.setText(shown.title());
        colors = new int[scene.rows * scene.cols];
        picture = Bitmap.createBitmap(scene.cols, scene.rows, Bitmap.Config.ARGB_8888);
        Bitmap labels = Bitmap.createBitmap(scene.cols, scene.rows, Bitmap.Config.ARGB_8888);
        Pictures.draw(ByteBuffer.wrap(scene.truth), scene.colors, colors);
        labels.setPixels(colors, 0, scene.cols, 0, 0, scene.cols, scene.rows);
        truth.show(labels);
        Bitmap bands = BitmapFactory.decodeFile(scene.preview.getPath());
        if (bands != null) {
            preview.show(bands);
        }
        choices(scene);
    }

    private void choices(Scene scene) {
        List<Choice<String>> forms = new ArrayList<>();
        for (String kind : new String[] {"patches", "tiles"}) {
            Form there = shown.form(kind);
            String label = kind;
            if (there != null) {
                int side = there.record.tile > 0 ? there.record.tile : there.record.patch;
                label += " of " + side + " x " + side + " pixels";
            }
            forms.add(new Choice<>(kind, label, there == null ? "not in this bundle" : null));
        }
        List<Choice<Settings.Delegate>> delegates = new ArrayList<>();
        for (Settings.Delegate kind : Settings.Delegate.values()) {
            delegates.add(new Choice<>(kind, kind.label, Delegates.missing(kind)));
        }
        List<Choice<Integer>> counts = new ArrayList<>();
        int cores = Runtime.getRuntime().availableProcessors();
        for (int count = 1; count <= cores; count *= 2) {
            counts.add(new Choice<>(count, String.valueOf(count), null));
        }
        select(form, forms, selected[0]);
        select(delegate, delegates, selected[1]);
        select(threads, counts, selected[2] < 0 ? counts.size() / 2 : selected[2]);
    }

    /** Fills a spinner; where the wanted place cannot be chosen, the first that can is. */
    private <T> void select(Spinner spinner, List<Choice<T>> choices, int place) {
        spinner.setAdapter(new ChoiceAdapter<>(this, choices));
        int wanted = Math.max(0, Math.min(place, choices.size() - 1));
        for (int step = 0; choices.get(wanted).missing != null && step < choices.size(); step++) {
            wanted = (wanted + 1) % choices.size();
        }
        spinner.setSelection(wanted);
    }

    private Settings settings() {
        return new Settings(
                (String) chosen(form), (Settings.Delegate) chosen(delegate), (Integer) chosen(threads));
    }

    private static Object chosen(Spinner spinner) {
        return ((Choice<?>) spinner.getSelectedItem()).value;
    }

    /** Shows how far a classification is. */
    private void draw() {
        Run run = session.run();
        boolean here = run != null && shown != null && run.bundle == shown;
        progress.setIndeterminate(!here && session.busy() != null);
        if (here) {
            progress.setMax(run.map.capacity());
            progress.setProgress(run.pixels());
            status.setText(run.text());
        } else {
            progress.setProgress(0);
            status.setText(session.busy() == null ? "" : session.busy());
        }
        if (shown == null) {
            title.setText(R.string.no_bundle);
            return;
        }
        Scene scene = shown.scene;
        ByteBuffer found = here ? run.map : ByteBuffer.allocate(colors.length);
        Pictures.draw(found, scene.colors, colors);
        picture.setPixels(colors, 0, scene.cols, 0, 0, scene.cols, scene.rows);
        map.show(picture);
        legend.show(scene, Pictures.present(scene.truth, found, scene.classNames.length));
    }

    private void show(int heading, String text) {
        if (dialog != null && dialog.isShowing()) {
            return;
        }
        dialog =
                new AlertDialog.Builder(this)
                        .setTitle(heading)
                        .setMessage(text)
                        .setPositiveButton(
                                R.string.close,
                                new DialogInterface.OnClickListener() {
                                    @Override
                                    public void onClick(DialogInterface closed, int which) {
                                        session.read();
                                    }
                                })
                        .setOnCancelListener(
                                new DialogInterface.OnCancelListener() {
                                    @Override
                                    public void onCancel(DialogInterface closed) {
                                        session.read();
                                    }
                                })
                        .show();
    }
}
