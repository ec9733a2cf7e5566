import hashlib
import os
import re
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hsitf.errors import DataError, InputError, OutputError
from hsitf.scenes.download import download, verify_checksum

BODY = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server:
    """What a test's server answers with and what it was asked."""

    def __init__(self):
        self.body, self.etag, self.cut = BODY, '"1"', None
        self.ranges, self.content_type, self.sized, self.location = True, "text/plain", True, None
        self.asked = []


@contextmanager
def running(state):
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            asked = self.headers.get("Range")
            state.asked.append(asked)
            if state.location or self.path == "/none":
                self.send_response(302 if state.location else 404)
                self.send_header("Location", state.location or "")
                self.end_headers()
                return
            start = 0
            same = self.headers.get("If-Range") == state.etag
            if asked and state.ranges and same:
                start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(state.body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                end = len(state.body) - 1
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(state.body)}")
            if state.etag:
                self.send_header("ETag", state.etag)
            if state.sized:
                self.send_header("Content-Length", str(len(state.body) - start))
            self.send_header("Content-Type", state.content_type)
            self.end_headers()
            self.wfile.write(state.body[start : state.cut])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/cube.mat"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def state():
    return Server()


@pytest.fixture
def url(state):
    with running(state) as address:
        yield address


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scenes" / "cube.mat"


def files_of(path):
    """What lies in the folder; it goes, too, where nothing came into it."""
    return sorted(file.name for file in path.parent.glob("*"))


def test_fetches_once_and_records_the_checksum(url, path, state):
    seen = []
    assert download(url, path, lambda *done: seen.append(done)) == DIGEST
    assert download(url, path) == DIGEST
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert files_of(path) == ["cube.mat", "cube.mat.sha256"]
    assert (path.parent / "cube.mat.sha256").read_text() == f"{DIGEST}  cube.mat\n"
    assert len(state.asked) == 1


def interrupted(url, path, state, length=300_000):
    state.cut = length
    with pytest.raises(DataError, match=rf"cube\.mat cannot be downloaded.*{length} of"):
        download(url, path)
    state.cut = None
    assert not path.exists()


def test_goes_on_after_a_cut_connection(url, path, state):
    interrupted(url, path, state)
    seen = []
    assert download(url, path, lambda *done: seen.append(done)) == DIGEST
    assert state.asked == [None, "bytes=300000-"]
    assert seen[0][0] > 300_000
    assert seen[-1] == (len(BODY), len(BODY))
    assert files_of(path) == ["cube.mat", "cube.mat.sha256"]


def test_starts_over_where_ranges_are_ignored(url, path, state):
    interrupted(url, path, state)
    state.ranges = False
    assert download(url, path) == DIGEST


def test_starts_over_where_the_file_has_changed(url, path, state):
    interrupted(url, path, state)
    state.body, state.etag = BODY[::-1], '"2"'
    download(url, path)
    assert path.read_bytes() == BODY[::-1]


def test_starts_over_where_the_server_cannot_tell_versions_apart(url, path, state):
    state.etag = None
    interrupted(url, path, state)
    assert download(url, path) == DIGEST
    assert state.asked == [None, None]


def test_starts_over_after_a_part_that_is_too_long(url, path, state):
    interrupted(url, path, state)
    state.body = BODY[:1000]
    with pytest.raises(DataError, match="416"):
        download(url, path)
    download(url, path)
    assert path.read_bytes() == BODY[:1000]


def test_a_server_that_does_not_tell_the_length(url, path, state):
    state.sized = False
    seen = []
    assert download(url, path, lambda *done: seen.append(done)) == DIGEST
    assert seen[-1] == (len(BODY), None)


@pytest.mark.parametrize("sized", [True, False])
def test_too_much_is_refused(url, path, state, sized):
    state.sized = sized
    with pytest.raises(DataError, match=r"too large.*allowed: 1000 bytes"):
        download(url, path, limit=1000)
    assert not path.exists()


def test_a_web_page_is_refused(url, path, state):
    state.content_type = "text/html; charset=utf-8"
    with pytest.raises(DataError, match="a web page instead"):
        download(url, path)
    assert not path.exists()


def test_a_changed_file_is_refused_with_both_digests(url, path):
    download(url, path)
    path.write_bytes(b"other")
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(DataError, match=f"{other}.*{DIGEST}.*delete cube.mat"):
        download(url, path)


def test_check_without_a_record(path):
    path.parent.mkdir()
    path.write_bytes(BODY)
    assert verify_checksum(path, record=False) == DIGEST
    assert files_of(path) == ["cube.mat"]
    path.with_name("cube.mat.sha256").write_text("nonsense")
    with pytest.raises(DataError, match="does not hold a checksum"):
        verify_checksum(path, record=False)


def test_refusals_name_the_file_and_the_way_out(url, path):
    with pytest.raises(DataError, match=r"none cannot be downloaded.*404.*--data-dir"):
        download(url.replace("cube.mat", "none"), path)


def test_nobody_listens(path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/cube.mat"
        with pytest.raises(DataError, match=r"cube\.mat cannot be downloaded.*--data-dir"):
            download(url, path)


def test_a_silent_server_is_given_up(path, monkeypatch):
    monkeypatch.setattr("hsitf.scenes.transfer.TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/cube.mat"
        with pytest.raises(DataError, match="timed out"):
            download(url, path)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a.mat", "file:///etc/hostname", "a.mat"])
def test_other_schemes_are_refused(url, path):
    with pytest.raises(InputError, match="http:// or https://"):
        download(url, path)


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/a.mat"])
def test_redirects_lead_nowhere_else(url, path, state, location):
    state.location = location
    with pytest.raises(DataError, match="cannot be downloaded"):
        download(url, path)
    assert not path.exists()


def test_a_folder_that_cannot_be_made(url, tmp_path):
    (tmp_path / "scenes").write_text("a file")
    with pytest.raises(OutputError, match="there is a file where a folder is needed"):
        download(url, tmp_path / "scenes" / "cube.mat")


# --- others, and servers that lie ------------------------------------------------------------


def test_several_processes_fetch_one_file_once(path, tmp_path):
    state = Server()
    children = []
    with running(state) as url:
        for number in range(4):
            child = os.fork()
            if not child:
                digest = ""
                try:
                    digest = download(url, path)
                finally:
                    (tmp_path / f"{number}.txt").write_text(digest)
                    os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
    assert len(state.asked) == 1
    assert [(tmp_path / f"{n}.txt").read_text() for n in range(4)] == [DIGEST] * 4
    assert files_of(path) == ["cube.mat", "cube.mat.sha256"]


def test_without_locks_each_has_a_part_of_its_own(url, path, state, monkeypatch):
    @contextmanager
    def unlocked(path):
        path.parent.mkdir(exist_ok=True)
        yield False

    monkeypatch.setattr("hsitf.scenes.download.locked", unlocked)
    path.parent.mkdir()
    # What another process is writing.
    path.with_name("cube.mat.part").write_bytes(b"other")
    state.cut = 1000
    with pytest.raises(DataError, match="broke off"):
        download(url, path)
    assert files_of(path) == ["cube.mat.part"]
    state.cut = None
    assert download(url, path) == DIGEST
    assert path.with_name("cube.mat.part").read_bytes() == b"other"


def test_another_file_than_the_known_one_leaves_nothing(url, path, state):
    with pytest.raises(DataError, match=f"{DIGEST}.*{'0' * 64}.*--data-dir"):
        download(url, path, sha256="0" * 64)
    assert files_of(path) == []
    assert download(url, path, sha256=DIGEST) == DIGEST


def test_another_file_than_the_recorded_one_leaves_nothing(url, path, state):
    download(url, path)
    path.unlink()
    state.body = BODY[::-1]
    with pytest.raises(DataError, match=r"recorded in cube\.mat\.sha256"):
        download(url, path)
    assert files_of(path) == ["cube.mat.sha256"]


def test_a_mark_that_stays_on_another_file(url, path, state):
    interrupted(url, path, state)
    # The entity tag claims that nothing has changed.
    state.body = BODY[::-1] + b"more"
    with pytest.raises(DataError, match="bytes now, not"):
        download(url, path)
    assert files_of(path) == []
    interrupted(url, path, state)
    state.body = bytes(len(state.body))
    with pytest.raises(DataError, match="is not kept"):
        download(url, path, sha256=DIGEST)
    assert files_of(path) == []


@pytest.mark.parametrize("sized", [True, False])
def test_too_much_leaves_nothing(url, path, state, sized):
    state.sized = sized
    with pytest.raises(DataError, match="too large"):
        download(url, path, limit=500_000)
    assert files_of(path) == []


def test_an_endless_download_is_given_up(url, path, state, monkeypatch):
    monkeypatch.setattr("hsitf.scenes.transfer.MAX_SECONDS", 0.0)
    with pytest.raises(DataError, match=r"longer than 0 s.*run again to resume"):
        download(url, path)
    assert "cube.mat.part" in files_of(path)


def test_redirects_stay_on_the_host(url, path, state):
    with running(Server()) as other:
        state.location = other.replace("127.0.0.1", "localhost")
        with pytest.raises(DataError, match="which is not followed"):
            download(url, path)
        state.location = other
        assert download(url, path) == DIGEST
