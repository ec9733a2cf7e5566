"""Pages for the browser: files with unsigned borders, the folder, and the page in Chromium."""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from hsitf.arithmetic import INTEGER
from hsitf.errors import DataError
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.inspection import tflite
from hsitf.lower import lower
from hsitf.runtimes import LiteRT
from hsitf.web import runtime
from hsitf.web.site import ASSETS
from hsitf.web.unsigned import with_unsigned_borders

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
browser = pytest.mark.skipif(
    CHROMIUM is None or shutil.which("npm") is None,
    reason="no browser at hand: apt-get install chromium npm",
)


# WebGPU is computed in software, by Chromium's own renderer.
_GRAPHICS = {
    "wasm": ("--disable-gpu",),
    "webgpu": ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """An int8 file, and the same with unsigned borders."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(5, 3, activation="relu")(inputs)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    samples = np.random.default_rng(0).normal(size=(16, 4, 4, 3)).astype(np.float32)
    folder = tmp_path_factory.mktemp("unsigned")
    signed, unsigned = folder / "signed.tflite", folder / "unsigned.tflite"
    VARIANTS["int8"].convert(lower(model, arithmetic=INTEGER), Calibration(samples), signed)
    unsigned.write_bytes(with_unsigned_borders(signed))
    return signed, unsigned


def test_unsigned_borders_change_no_bit(files):
    signed, unsigned = map(LiteRT, files)
    assert (unsigned.input.dtype, unsigned.output.dtype) == ("uint8", "uint8")
    assert unsigned.input.scale == signed.input.scale
    assert unsigned.input.zero_point == signed.input.zero_point + 128
    stored = np.random.default_rng(1).integers(-128, 128, (20, 4, 4, 3)).astype(np.int8)
    for one in stored[:, None]:
        shifted = (one.astype(np.int16) + 128).astype(np.uint8)
        expected = signed.infer(one).astype(np.int16) + 128
        np.testing.assert_array_equal(unsigned.infer(shifted).astype(np.int16), expected)


def test_unsigned_borders_stay_integer_inside(files):
    assert tflite(files[1]).integer_share == 1.0


def test_every_asset_of_the_page_is_listed():
    from hsitf import web

    folder = Path(web.__file__).parent / "assets"
    assert sorted(ASSETS) == sorted(path.name for path in folder.iterdir())
    # The page itself is small beside runtime, model and scene.
    assert sum((folder / name).stat().st_size for name in ASSETS) < 200_000


def test_a_package_that_is_not_the_pinned_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HSITF_DATA", str(tmp_path))

    def packed(words, cwd, **_):
        (Path(cwd) / "other.tgz").write_bytes(b"other")
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(runtime.subprocess, "run", packed)
    monkeypatch.setattr(runtime.shutil, "which", lambda name: name)
    from hsitf.progress import Silent

    with pytest.raises(DataError, match="is not the package that was pinned"):
        runtime.litert_js(Silent())
    assert not list(tmp_path.iterdir())


class _Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and keeps what its page posts."""

    posted: list[str]

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        type(self).posted.append(self.rfile.read(length).decode())
        self.send_response(204)
        self.end_headers()
        self.server.done.set()

    def log_message(self, *_: object) -> None:
        pass


def opened(folder: Path, profile: Path, seconds: float = 240, engine: str = "wasm") -> dict:
    """What the page in a folder finds when it is opened and classifies without a click."""
    handler = type("Handler", (_Server,), {"posted": []})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder))
    )
    server.done = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/?post=/result&engine={engine}"
    words = [CHROMIUM, "--headless=new", "--no-sandbox", *_GRAPHICS[engine]]
    process = subprocess.Popen(
        [*words, f"--user-data-dir={profile}", address],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert server.done.wait(seconds), "the page did not finish"
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
    return json.loads(handler.posted[0])


@pytest.fixture(scope="module")
def site(shell) -> Path:
    words = ("export", "--model", "hu", *shell.SCENE, "--int8", "--float32", "--web")
    with pytest.MonkeyPatch.context() as patch:
        # What is fetched goes with the test.
        patch.setenv("HSITF_DATA", str(shell.folder / "cache"))
        done = shell(*words)
    if "cannot be fetched" in done.stderr:
        pytest.skip("npm's packages are not within reach")
    assert done.returncode == 0, done.stderr
    assert "http.server --directory" in done.stdout
    return shell.folder / "export/tiny/hu"


@browser
def test_the_page_repeats_golden_vectors_and_map_to_the_bit(site, tmp_path):
    found = opened(site / "web-int8", tmp_path / "profile")
    assert "error" not in found
    assert found["golden"]["differing"] == 0
    assert found["golden"]["outputs"] > 0
    assert found["map"]["whole"]
    assert found["map"]["differing"] == 0
    assert found["pixel"]["label"] == found["pixel"]["mapped"]


@browser
def test_the_page_names_as_python_does_in_floats(site, tmp_path):
    found = opened(site / "web-float32", tmp_path / "profile")
    assert found["map"]["differing"] == 0
    assert found["golden"]["largest"] < 1e-4


@browser
@pytest.mark.slow
def test_the_page_names_as_python_does_on_webgpu(site, tmp_path):
    found = opened(site / "web-float32", tmp_path / "profile", engine="webgpu")
    assert "error" not in found
    if not found["webgpu"]:
        pytest.skip("this Chromium has no WebGPU in software")
    assert found["engine"] == "webgpu"
    assert found["golden"]["largest"] < 1e-4
    assert found["map"]["whole"]
    assert found["map"]["differing"] == 0


@browser
def test_integer_files_stay_on_webassembly(site, tmp_path):
    """WebGPU has no integer kernels in LiteRT.js."""
    found = opened(site / "web-int8", tmp_path / "profile", engine="webgpu")
    if not found["webgpu"]:
        pytest.skip("this Chromium has no WebGPU in software")
    assert found["engine"] == "wasm"
    assert found["golden"]["differing"] == 0


@browser
def test_a_damaged_file_is_named(site, tmp_path):
    broken = tmp_path / "web"
    shutil.copytree(site / "web-int8", broken)
    model = broken / "patches-hu.tflite"
    model.write_bytes(model.read_bytes()[:-20])
    found = opened(broken, tmp_path / "profile")
    assert "patches-hu.tflite is damaged" in found["error"]
    assert not found["ready"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--onnx", "--web"), "a page takes no onnx files"),
        (("--int8", "--web", "--tta"), "without test-time augmentation"),
    ],
)
def test_what_a_page_cannot_show_is_refused(shell, words, message):
    done = shell("export", "--model", "li", *shell.SCENE, *words)
    assert done.returncode == 2
    assert message in done.stderr


NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="no Node.js at hand: apt-get install nodejs")
@pytest.mark.parametrize(
    ("header", "outcome"),
    [
        ("data ignore value = 7\n", "[[null,1,2],[3,4,5]]"),
        ("", "[[7,1,2],[3,4,5]]"),
        ("wavelength = {0.45, 0.55}\n", "[450,550]"),
        ("wavelength = {450, x}\n", "a center that is no number"),
        ("wavelength = {450, 900}\n", "nm away"),
        ("reflectance scale factor = 100\n", "a reflectance scale factor of 100"),
    ],
)
def test_a_dropped_cube_is_read_as_its_header_says(header, outcome, tmp_path):
    from hsitf import web

    shutil.copytree(Path(web.__file__).parent / "assets", tmp_path / "assets")
    (tmp_path / "assets/package.json").write_text('{"type": "module"}')
    envi = "ENVI\nlines = 1\nsamples = 3\nbands = 2\ndata type = 1\ninterleave = bil\n" + header
    script = tmp_path / "assets/try.mjs"
    script.write_text(
        'import { checkBands, openDropped } from "./dropped.js";\n'
        f"const hdr = new File([{json.dumps(envi)}], 'c.hdr');\n"
        "const img = new File([Uint8Array.from([7, 1, 2, 3, 4, 5])], 'c.img');\n"
        "const record = { bands: 2, patch: 1, wavelengths: [450, 550], scale: [0.0001] };\n"
        "try {\n"
        "  const cube = await openDropped([hdr, img], record);\n"
        "  checkBands(cube, record);\n"
        "  const row = [...(await cube.row(0))];\n"
        "  const found = [row.slice(0, 3), row.slice(3)];\n"
        "  console.log(JSON.stringify(cube.wavelengths ?? found));\n"
        "} catch (error) { console.log(error.message); }\n"
    )
    done = subprocess.run([NODE, str(script)], capture_output=True, text=True, check=True)
    assert outcome in done.stdout
