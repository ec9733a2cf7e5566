package org.hsitf.demo;

import android.content.Context;
import android.net.Uri;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.hsitf.demo.core.Archive;
import org.hsitf.demo.core.Bundle;
import org.hsitf.demo.core.BundleException;

/** Folders of unpacked bundles on the device: one from the assets, one that the user chose. */
final class Store {
    /** Folder of the bundle that is packaged with the app. */
    static final String ASSET = "demo.zip";

    private final Context context;

    Store(Context context) {
        this.context = context;
    }

    /** The bundle of the assets, unpacked anew when another app version brings another one. */
    Bundle builtIn() throws BundleException {
        File folder = new File(context.getFilesDir(), "demo-" + version());
        if (folder.isDirectory()) {
            try {
                return Bundle.open(folder);
            } catch (BundleException damaged) {
                // What was unpacked was damaged since; the assets still have it whole.
                Archive.delete(folder);
            }
        }
        for (File old : children("demo-")) {
            Archive.delete(old);
        }
        try (InputStream archive = context.getAssets().open(ASSET)) {
            Archive.unpack(archive, folder);
        } catch (IOException error) {
            throw new BundleException(
                    "this app came without a bundle", error.getMessage(), "open one");
        }
        return Bundle.open(folder);
    }

    /** The bundle that was chosen last; null where there is none. */
    Bundle chosen() throws BundleException {
        File[] found = children("chosen-");
        return found.length == 0 ? null : Bundle.open(found[0]);
    }

    /** Forgets the bundle that was chosen. */
    void forget() {
        for (File old : children("chosen-")) {
            Archive.delete(old);
        }
    }

    /** Takes over an archive that the user chose; one that is not whole leaves the last as it is. */
    Bundle take(Uri uri) throws BundleException {
        try (InputStream archive = context.getContentResolver().openInputStream(uri)) {
            if (archive == null) {
                throw new IOException("nothing there");
            }
            return take(archive);
        } catch (IOException | SecurityException error) {
            throw new BundleException(
                    "the file cannot be read", error.getMessage(), "choose another one");
        }
    }

    /** Unpacks an archive among the app's own files, where the benchmark puts it. */
    Bundle take(String name) throws BundleException {
        File path = new File(context.getFilesDir(), new File(name).getName());
        try (InputStream archive = new FileInputStream(path)) {
            return take(archive);
        } catch (IOException error) {
            throw new BundleException(
                    "the file cannot be read", error.getMessage(), "push it again");
        }
    }

    private Bundle take(InputStream archive) throws BundleException {
        for (File left : named("chosen-", true)) {
            // Of an unpacking that was killed; nobody else unpacks here.
            Archive.delete(left);
        }
        File folder = new File(context.getFilesDir(), "chosen-" + System.currentTimeMillis());
        Archive.unpack(archive, folder);
        boolean whole = false;
        try {
            Bundle bundle = Bundle.open(folder);
            whole = true;
            for (File old : children("chosen-")) {
                if (!old.equals(folder)) {
                    Archive.delete(old);
                }
            }
            return bundle;
        } finally {
            if (!whole) {
                Archive.delete(folder);
            }
        }
    }

    private File[] children(String prefix) {
        return named(prefix, false);
    }

    private File[] named(final String prefix, final boolean unfinished) {
        File[] found =
                context.getFilesDir()
                        .listFiles(
                                new java.io.FilenameFilter() {
                                    @Override
                                    public boolean accept(File folder, String name) {
                                        return name.startsWith(prefix)
                                                && name.endsWith(".part") == unfinished;
                                    }
                                });
        return found == null ? new File[0] : found;
    }

    private long version() {
        try {
            return context.getPackageManager()
                    .getPackageInfo(context.getPackageName(), 0)
                    .lastUpdateTime;
        } catch (android.content.pm.PackageManager.NameNotFoundException error) {
            throw new IllegalStateException(error);
        }
    }
}
