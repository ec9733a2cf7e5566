package org.hsitf.demo.core;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;

public class ArchiveTest {
    @Rule public final TemporaryFolder folder = new TemporaryFolder();

    @Test
    public void filesAreUnpacked() throws Exception {
        File place = new File(folder.getRoot(), "bundle");
        Archive.unpack(new ByteArrayInputStream(zip("a.bin", "b-1_c.json")), place);
        assertArrayEquals(new byte[] {1, 2, 3}, Fixtures.bytes(new File(place, "b-1_c.json")));
        assertEquals(2, place.list().length);
    }

    @Test
    public void namesThatLeadElsewhereAreRefused() throws Exception {
        String[] names = {"../a", "/etc/a", "a/b", "..", ".hidden", "a\\b", "", "a\0b"};
        for (String name : names) {
            refused(zip("fine.bin", name));
        }
    }

    @Test
    public void whatIsNoArchiveIsRefused() throws Exception {
        refused(new byte[0]);
        refused("no archive".getBytes("UTF-8"));
        byte[] whole = zip("a.bin", "b.bin");
        refused(java.util.Arrays.copyOf(whole, 40));
        byte[] damaged = whole.clone();
        damaged[45] ^= 0x55;
        refused(damaged);
    }

    @Test
    public void tooManyFilesAreRefused() throws Exception {
        String[] names = new String[65];
        for (int number = 0; number < names.length; number++) {
            names[number] = "f" + number;
        }
        refused(zip(names));
    }

    private void refused(byte[] archive) throws Exception {
        File place = new File(folder.getRoot(), "bundle");
        try {
            Archive.unpack(new ByteArrayInputStream(archive), place);
            fail("an archive that is none was unpacked");
        } catch (BundleException expected) {
            assertTrue(expected.getMessage().contains("cannot be unpacked"));
        }
        assertFalse(place.exists());
        assertEquals(0, folder.getRoot().list().length);
    }

    private static byte[] zip(String... names) throws Exception {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        try (ZipOutputStream archive = new ZipOutputStream(content)) {
            for (String name : names) {
                archive.putNextEntry(new ZipEntry(name));
                archive.write(new byte[] {1, 2, 3});
                archive.closeEntry();
            }
        }
        return content.toByteArray();
    }
}
