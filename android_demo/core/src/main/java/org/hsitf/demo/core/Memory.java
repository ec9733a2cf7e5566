package org.hsitf.demo.core;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;

/** Memory of this process, as Linux counts it. */
public final class Memory {
    private Memory() {}

    /** Largest resident memory so far in bytes; 0 where the system does not report it. */
    public static long peak() {
        try (BufferedReader lines =
                new BufferedReader(
                        new InputStreamReader(new FileInputStream("/proc/self/status"), "UTF-8"))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.startsWith("VmHWM:")) {
                    return 1024 * Long.parseLong(line.replaceAll("[^0-9]", ""));
                }
            }
        } catch (IOException | NumberFormatException error) {
            return 0;
        }
        return 0;
    }
}
