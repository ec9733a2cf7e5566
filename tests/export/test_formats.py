"""Files of few bits beyond int8: their ranges, C sources, and the interpreter of small devices."""

from __future__ import annotations

import shutil
import subprocess

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import inspection
from hsitf.errors import DataError, InputError, VerificationError
from hsitf.export.bundle import GOLDEN, Bundle, GoldenVectors
from hsitf.export.calibration import Calibration
from hsitf.export.request import ExportRequest
from hsitf.export.tflm import run_tflm
from hsitf.export.variants import VARIANTS, variant
from hsitf.progress import Silent
from hsitf.quantize import mixed_precision
from hsitf.quantize.mixed_precision import MixedPrecisionRecipe
from hsitf.quantize.qat import quantization_aware_train
from hsitf.quantize.tensor_statistics import collect_statistics
from hsitf.records import OperatorCount
from hsitf.runs import Run
from hsitf.runtimes import predict

RNG = np.random.default_rng(0)
PATCHES = RNG.normal(size=(16, 3, 3, 8)).astype(np.float32)
HU = ("--model", "hu")


def model_of(*stack):
    inputs = x = keras.Input(batch_shape=(1, 3, 3, 8), name="patch")
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return model_of(
        layers.Conv2D(32, 3, activation="relu"), layers.Flatten(), layers.Dense(40), layers.Dense(3)
    )


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    found = {}
    for name, kind in VARIANTS.items():
        found[name] = folder / f"{name}{kind.suffix}"
        kind.convert(network, Calibration(PATCHES), found[name])
    return found


# --- ranges --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["float32", "onnx"])
def test_ranges_by_hand(kind, tmp_path):
    dense = layers.Dense(2, use_bias=False)
    model = model_of(layers.Flatten(), dense)
    kernel = np.zeros((72, 2), np.float32)
    kernel[0], kernel[1, 1] = [1, -2], 3
    dense.set_weights([kernel])
    patches = np.zeros((2, 3, 3, 8), np.float32)
    patches[0, 0, 0, :2], patches[1, 0, 0, :2] = [1, 0.5], [-4, 0]
    path = tmp_path / f"file{VARIANTS[kind].suffix}"
    VARIANTS[kind].convert(model, Calibration(patches), path)
    seen = collect_statistics(path, patches)
    # Outputs: (1, -0.5) and (-4, 8).
    found = {(round(h.low, 3), round(h.high, 3)) for h in seen.values()}
    assert found == {(-4.0, 1.0), (-4.0, 8.0)}


def test_a_method_changes_the_ranges_of_both_engines(network, tmp_path):
    patches = RNG.normal(size=(300, 3, 3, 8)).astype(np.float32)
    # One value of 21,600 is far out: min-max gives it a place, a percentile does not.
    patches[0, 0, 0, 0] = 100
    for name in ("int8", "onnx-int8"):
        kind = VARIANTS[name]
        errors = {}
        for method in ("min-max", "percentile"):
            path = tmp_path / f"{method}{kind.suffix}"
            kind.convert(network, Calibration(patches, method), path)
            found = predict(kind.runtime(path, 1), PATCHES[1:])
            expected = network.predict(PATCHES[1:], batch_size=1, verbose=0)
            errors[method] = float(np.square(found - expected).mean())
        assert errors["percentile"] < 0.5 * errors["min-max"], name


def test_unknown_range_estimators_are_rejected():
    with pytest.raises(InputError, match="did you mean percentile"):
        Calibration(PATCHES, "percentil")


# --- files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["weight-only", "int16", "onnx-float16", "onnx-int8"])
def test_files_agree_with_the_network(files, network, name):
    found = predict(VARIANTS[name].runtime(files[name], 1), PATCHES)
    expected = network.predict(PATCHES, batch_size=1, verbose=0)
    # 8 bits of weights: half a step of 1/127 in each of 72 to 288 products that add up at random.
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["onnx", "onnx-float16", "onnx-int8"])
def test_what_looks_like_a_second_bias_is_added(name, tmp_path):
    """A sum of one pixel's channels reads as bias to Keras, and tf2onnx gave it to the convolution.

    ONNX Runtime refused the file: a convolution takes one bias.
    """
    keras.utils.set_random_seed(3)
    inputs = keras.Input(batch_shape=(1, 3, 3, 8), name="patch")
    biased = {"padding": "valid", "bias_initializer": "random_normal"}
    first = layers.Conv2D(6, 3, **biased)(inputs)
    second = layers.Conv2D(6, 1, **biased)(layers.ReLU()(first))
    outputs = layers.Conv2D(3, 1)(layers.Add()([second, first]))
    model = keras.Model(inputs, layers.Flatten()(outputs))
    path = tmp_path / "sum.onnx"
    kind = variant(name)
    kind.convert(model, Calibration(PATCHES), path)
    expected = model.predict(PATCHES, batch_size=1, verbose=0)
    tolerance = {"onnx": 1e-5, "onnx-float16": 5e-3, "onnx-int8": 5e-2}[name]
    found = predict(kind.runtime(path, 1), PATCHES)
    assert found == pytest.approx(expected, abs=tolerance * float(np.ptp(expected)))


def test_sixteen_bits_err_less_than_eight(files, network):
    expected = network.predict(PATCHES, batch_size=1, verbose=0)
    errors = {}
    for name in ("int8", "int16"):
        found = predict(VARIANTS[name].runtime(files[name], 1), PATCHES)
        errors[name] = float(np.square(found - expected).sum())
    assert errors["int16"] < errors["int8"]


def test_what_they_are_made_of(files):
    wide = inspection.tflite(files["int16"])
    assert wide.integer_share == 1
    assert {operator.dtype for operator in wide.operators} == {"int16"}
    weights = inspection.tflite(files["weight-only"])
    assert weights.integer_share == 0
    assert OperatorCount("DEQUANTIZE", "int8", 3) in weights.operators
    half = inspection.onnx(files["onnx-float16"])
    assert {o.dtype for o in half.arithmetic} == {"float16"}
    eight = inspection.onnx(files["onnx-int8"])
    assert {o.op: o.dtype for o in eight.arithmetic}["Conv"] == "int8"
    assert inspection.onnx(files["onnx"]).integer_share == 0


def test_sizes_follow_the_bits(files):
    size = {name: path.stat().st_size for name, path in files.items() if path.is_file()}
    weights = 8 * 9 * 32 + 32 * 40 + 40 * 3
    assert size["onnx"] - size["onnx-float16"] == pytest.approx(2 * weights, rel=0.2)
    assert size["float32"] - size["weight-only"] == pytest.approx(3 * weights, rel=0.2)
    assert size["float32"] - size["int16"] > 2 * weights


def test_an_operator_without_sixteen_bits_is_named(tmp_path):
    class Root(layers.Layer):
        def call(self, x):
            return keras.ops.sqrt(x)

    model = model_of(layers.Conv2D(4, 3), Root(), layers.Flatten(), layers.Dense(2))
    with pytest.raises(VerificationError, match="SQRT in 16 bits"):
        VARIANTS["int16"].convert(model, Calibration(PATCHES), tmp_path / "file.tflite")
    assert not list(tmp_path.iterdir())


def test_a_recipe_names_what_there_is(files, tmp_path):
    seen = collect_statistics(files["float32"], PATCHES)
    with pytest.raises(InputError, match="operator"):
        mixed_precision.quantize_file(
            files["float32"],
            seen,
            MixedPrecisionRecipe(int16_outputs=("nowhere",)),
            tmp_path / "file.tflite",
        )


# --- requests ------------------------------------------------------------------------------


def test_options_need_their_files():
    floats = (variant("float32"),)
    with pytest.raises(InputError, match="add --int8 or --onnx-int8"):
        ExportRequest(floats, calibration="kl")
    with pytest.raises(InputError, match="--c-array without one"):
        ExportRequest((variant("onnx"),), c_array=True)
    with pytest.raises(InputError, match="--tflm without one"):
        ExportRequest((variant("onnx"),), tflm=True)


# --- microcontrollers ----------------------------------------------------------------------


def _golden(name, path):
    runtime = VARIANTS[name].runtime(path, 1)
    blank = np.zeros((2, 3), np.float32)
    return GoldenVectors.of(runtime, np.arange(2), PATCHES[:2], blank)


def test_an_integer_file_runs_bit_for_bit_on_a_microcontroller(files):
    found = run_tflm(files["int8"], _golden("int8", files["int8"]))
    assert found.failure == ""
    assert found.max_output_difference <= 1
    # The image and what the convolution makes of it have to lie in the arena.
    assert 72 + 32 < found.arena_bytes < 20_000


def test_what_a_microcontroller_cannot_do_is_named(files):
    found = run_tflm(files["dynamic"], _golden("dynamic", files["dynamic"]))
    assert found.arena_bytes == 0
    assert "does not support tensors of these types" in found.failure


# --- the whole way -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(shell):
    options = ("--int8", "--onnx-int8", "--calibration", "mse", "--c-array", "--tflm")
    done = shell("export", *HU, *shell.SCENE, *options)
    assert done.returncode == 0, done.stderr
    return done, shell.folder / "export/tiny/hu"


def test_the_record_names_the_range_estimator(exported):
    done, folder = exported
    for name in ("int8", "onnx-int8"):
        record = Bundle.open(folder / name).record
        assert record.applied_techniques == ("ranges by mse",)
        assert record.calibration_patches > 0
    assert "int8 uses ranges by mse." in done.stdout


def _difference_of_kernels(folder):
    """Largest difference, in stored steps, of LiteRT's outputs from those of reference kernels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(folder / "hu.tflite"), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    (entering,), (leaving,) = interpreter.get_input_details(), interpreter.get_output_details()
    with np.load(folder / "golden.npz") as golden:
        inputs, outputs = golden["stored_inputs"], golden["stored_outputs"]
    worst = 0
    for patch, expected in zip(inputs, outputs, strict=True):
        interpreter.set_tensor(entering["index"], patch[None])
        interpreter.invoke()
        received = interpreter.get_tensor(leaving["index"])[0]
        worst = max(worst, int(np.abs(received.astype(int) - expected.astype(int)).max()))
    return worst


def test_the_record_has_the_tflm_report(exported):
    done, folder = exported
    micro = Bundle.open(folder / "int8").record.tflm
    assert micro.arena_bytes > 0
    # LiteRT's fast kernels round some values of a convolution otherwise than its reference kernels,
    # and the layers behind it enlarge that: TFLM is held against the latter, to a step.
    own = _difference_of_kernels(folder / "int8")
    assert micro.max_output_difference <= own + 1
    assert f"{micro.arena_bytes:,} bytes of arena" in done.stdout
    assert Bundle.open(folder / "onnx-int8").record.tflm is None


def test_the_c_source_is_the_file(exported, tmp_path):
    folder = exported[1] / "int8"
    record = Bundle.open(folder).record
    header = (folder / "hu.h").read_text()
    assert f"#define HSITF_HU_INPUT_ZERO_POINT ({record.input.zero_point})" in header
    assert f"#define HSITF_HU_CLASSES {len(record.class_names)}" in header
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to compile it with")
    main = tmp_path / "main.c"
    main.write_text(
        '#include <stdio.h>\n#include "hu.h"\nint main(void) {\n'
        "  int shape[] = HSITF_HU_INPUT_SHAPE;\n"
        "  if (sizeof(HSITF_HU_INPUT_TYPE) != 1 || shape[0] != 1) return 2;\n"
        '  fprintf(stderr, "%.9g", HSITF_HU_INPUT_SCALE);\n'
        "  return fwrite(hsitf_hu, 1, hsitf_hu_size, stdout) != hsitf_hu_size;\n}\n"
    )
    words = [compiler, "-std=c99", "-Wall", "-Werror", f"-I{folder}", main, folder / "hu.c"]
    subprocess.run([*map(str, words), "-o", str(tmp_path / "main")], check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=True)
    assert done.stdout == (folder / "hu.tflite").read_bytes()
    assert np.float32(done.stderr.decode()) == np.float32(record.input.scale)


def test_names_cannot_leave_their_comment(exported, tmp_path):
    from dataclasses import replace

    from hsitf.export import c_source

    bundle = Bundle.open(exported[1] / "int8")
    names = ("*/ #error", *bundle.record.class_names[1:])
    header, _ = c_source.write(replace(bundle.record, class_names=names), bundle.file, tmp_path)
    assert "__ _error */" in header.read_text()


def test_a_bound_is_kept_and_recorded(shell, exported):
    done = shell("export", *HU, *shell.SCENE, "--int8", "--max-drop", "0.5", "--out", "bounded")
    assert done.returncode == 0, done.stderr
    assert "points lost in validation" in done.stderr
    record = Bundle.open(shell.folder / "bounded/tiny/hu/int8").record
    assert record.oa_drop <= 0.5


def test_rounding_can_be_learned(shell, exported):
    done = shell("export", *HU, *shell.SCENE, "--int8", "--qat", "--out", "taught")
    assert done.returncode == 0, done.stderr
    record = Bundle.open(shell.folder / "taught/tiny/hu/int8").record
    # Whether ten epochs make a network better that loses nothing depends on the processor.
    undone = "made nothing better, and is undone" in done.stderr
    trained = ("quantization-aware training, 10 epochs",)
    assert record.applied_techniques == (() if undone else trained)
    assert record.integer_share == 1
    with np.load(shell.folder / "taught/tiny/hu/int8" / GOLDEN, allow_pickle=False) as golden:
        assert golden["stored_outputs"].dtype == np.int8


def test_training_that_makes_nothing_better_is_undone(shell, exported, monkeypatch):
    """A rate that throws the network away leaves it as it was, and no technique in the record."""
    monkeypatch.setattr("hsitf.quantize.qat.LEARNING_RATE_SHARE", 1e4)
    run = Run.open(next((shell.folder / "models/tiny/hu").iterdir()))
    data, network = run.data(), run.network()
    kept, found = quantization_aware_train(run, network, data, 2, Silent())
    assert kept is network
    assert (found.best_epoch, len(found.history)) == (0, 2)
    for one, other in zip(network.get_weights(), run.network().get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_bias_correction_on_request(shell, exported):
    """And where a tangent keeps no factor, no channel is called equalized."""
    options = ("--int8", "--onnx-int8", "--equalize", "--correct-bias", "--out", "mended")
    done = shell("export", *HU, *shell.SCENE, *options)
    assert done.returncode == 0, done.stderr
    assert "int8: no channel can be equalized" in done.stderr
    records = {
        name: Bundle.open(shell.folder / "mended/tiny/hu" / name).record
        for name in ("int8", "onnx-int8")
    }
    assert records["int8"].applied_techniques == ("biases corrected",)
    assert records["onnx-int8"].applied_techniques == ()
    assert records["int8"].integer_share == 1
    plain = Bundle.open(exported[1] / "int8").record
    assert records["int8"].bytes == pytest.approx(plain.bytes, abs=4096)


def test_channels_are_equalized_when_asked(shell):
    options = ("--int8", "--onnx-int8", "--equalize", "--out", "equal")
    done = shell("export", "--model", "li", *shell.SCENE, *options)
    assert done.returncode == 0, done.stderr
    for name in ("int8", "onnx-int8"):
        record = Bundle.open(shell.folder / "equal/tiny/li" / name).record
        assert record.applied_techniques == ("channels equalized",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--int8", "--calibration", "entropy"), "method of calibration"),
        (("--onnx", "--qat"), "--qat without --int8"),
        (("--onnx-int8", "--correct-bias"), "--correct-bias without --int8"),
        (("--float16", "--equalize"), "leave --equalize out"),
        (("--onnx", "--tflm"), "--tflm without one"),
    ],
)
def test_bad_options_are_explained(shell, words, message):
    done = shell("export", *HU, *shell.SCENE, *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_refuses_what_is_no_file(tmp_path):
    (tmp_path / "file.tflite").write_bytes(b"no file")
    with pytest.raises(DataError, match="LiteRT cannot run"):
        VARIANTS["int16"].runtime(tmp_path / "file.tflite", 1)
