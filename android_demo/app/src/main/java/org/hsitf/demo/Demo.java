package org.hsitf.demo;

import android.app.Application;

/** The application; what it works on outlives the activity that shows it. */
public final class Demo extends Application {
    private Session session;

    @Override
    public void onCreate() {
        super.onCreate();
        session = new Session(this);
    }

    Session session() {
        return session;
    }
}
