from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.applications.convnext import LayerScale
from networks import model_of, randomized

from hsitf import inspection, zoo
from hsitf.arithmetic import Arithmetic
from hsitf.bands import TrainingSpectra, fit
from hsitf.cost import cost
from hsitf.data import prepare
from hsitf.errors import InputError, LoweringError
from hsitf.export.bundle import GOLDEN, RECORD, Bundle
from hsitf.export.calibration import Calibration
from hsitf.export.convert import calibration_tiles
from hsitf.export.request import ExportRequest
from hsitf.export.tflite import CONVERTERS
from hsitf.export.variants import VARIANTS
from hsitf.lower import to_fully_convolutional
from hsitf.lower.fully_convolutional import tile_difference
from hsitf.lower.preprocessing import fold_preprocessing
from hsitf.lower.tile import Tap, lattices, shared_patterns
from hsitf.prune import PruningConfig, plan, thin
from hsitf.runtimes import Keras, LiteRT, predict, scan, tile_side
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.splits import SplitOptions

RNG = np.random.default_rng(0)

# Bands, patch and scene that are small and suit the network.
GEOMETRY = {
    "cao": (6, 9),
    "he": (17, 7),
    "hamida": (12, 5),
    "li": (12, 5),
    "lee": (6, 5),
    "santara": (20, 3),
    "luo": (42, 3),
    "roy": (13, 9),
    "liu": (6, 9),
    "sharma": (4, 56),
    "chen": (94, 25),
    "hu": (24, 1),
    "nn": (12, 1),
    "mou": (12, 1),
    "boulch": (12, 1),
}
# Their tiles: wide patches reach far around a tile, and small ones save nothing.
HEAVY = {"chen": 2, "sharma": 32}
NETWORKS = [
    pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in GEOMETRY
]


def built(name: str) -> keras.Model:
    bands, patch = GEOMETRY[name]
    return randomized(zoo.build(name, bands=bands, classes=5, patch=patch))


def assert_dense(model: keras.Model, side: int = 4) -> keras.Model:
    """All pixels of a scene, mirrored borders included, against patches one by one."""
    patch, _, bands = model.input_shape[1:]
    rows = max(side + 2, patch)
    cube = RNG.normal(size=(rows, rows + 1, bands)).astype(np.float32)
    source = PatchSource.from_cube(cube, patch)
    pixels = np.arange(rows * (rows + 1)) if patch < 20 else np.arange(rows - 1, rows * 3, 7)
    expected = model.predict(source.extract(pixels), verbose=0)
    whole = to_fully_convolutional(model, side)
    received = np.full_like(expected, np.nan)
    for places, logits in scan(Keras(whole), source, pixels):
        received[places] = logits
    assert np.abs(received - expected).max() <= 1e-4 * np.abs(expected).max()
    return whole


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_exact_at_every_pixel(name):
    whole = assert_dense(built(name), HEAVY.get(name, 4))
    kinds = {type(layer).__name__ for layer in whole.layers}
    assert not kinds & {"Conv1D", "Conv3D", "MaxPooling1D", "MaxPooling3D"}
    for layer in whole.layers:
        assert len(layer.output.shape) <= 4
        assert None not in layer.output.shape


@pytest.mark.parametrize(("name", "side"), [("cao", 3), ("cao", 8), ("he", 1), ("li", 2)])
def test_tiles_of_any_side(name, side):
    assert_dense(built(name), side)


@pytest.mark.parametrize(
    ("shape", "stack"),
    [
        ((7, 7, 4), (layers.Conv2D(6, 3, 2), layers.BatchNormalization(), layers.Conv2D(3, 2))),
        ((7, 7, 4), (layers.Conv2D(6, 2, padding="same"), layers.MaxPooling2D(3, padding="same"))),
        ((7, 7, 4), (layers.AveragePooling2D(2, padding="same"), layers.Conv2D(5, 2, 2))),
        ((6, 6, 4), (layers.AveragePooling2D(2), layers.AveragePooling2D(2, padding="same"))),
        ((6, 6, 4), (layers.Conv2D(6, 3, dilation_rate=2), layers.MaxPooling2D(2, 1))),
        ((6, 6, 4), (layers.DepthwiseConv2D(3, depth_multiplier=2), layers.Softmax())),
        ((6, 6, 4), (layers.SeparableConv2D(6, 3, 2, padding="same"), layers.ReLU())),
        ((5, 5, 4), (layers.Conv2D(8, 3), layers.GlobalAveragePooling2D())),
        ((5, 5, 4), (layers.Conv2D(8, 3), layers.GlobalMaxPooling2D(keepdims=True))),
        (
            (6, 6, 9),
            (
                layers.Reshape((6, 6, 9, 1)),
                layers.MaxPooling3D((2, 2, 2)),
                layers.Conv3D(3, (2, 2, 3), (1, 1, 2), padding="same"),
            ),
        ),
        ((5, 5, 4), (layers.ZeroPadding2D(1), layers.Conv2D(6, 3), layers.MaxPooling2D(5))),
        ((5, 5, 4), (layers.Conv2D(6, 4), layers.Dense(7, "relu"), layers.Permute((3, 1, 2)))),
        ((5, 5, 4), (layers.Identity(), layers.Conv2D(6, 3), LayerScale(0.5, 6))),
        # Applied to each patch by itself.
        ((5, 5, 4), (layers.Normalization(mean=2.0, variance=3.0), layers.LayerNormalization())),
        ((5, 5, 4), (layers.Conv2D(6, 3), layers.GroupNormalization(2), layers.Resizing(2, 2))),
        ((5, 5, 4), (layers.Conv2DTranspose(3, 3, 2), layers.TimeDistributed(layers.Dense(2)))),
    ],
    ids=range(16),
)
def test_stacks_of_layers(shape, stack):
    assert_dense(model_of(shape, *stack, layers.Flatten(), layers.Dense(3)))


def test_branches_at_a_distance():
    inputs = keras.Input((7, 7, 4))
    x = layers.Conv2D(6, 3, activation="relu")(inputs)
    y = layers.Conv2D(6, 1)(layers.Cropping2D(1)(inputs))
    x = layers.Concatenate()([layers.Add()([x, y]), x])
    x = layers.MaxPooling2D(2, padding="same")(x)
    assert_dense(randomized(keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))))


@pytest.mark.parametrize("name", ["cao", "he", "hamida", "li", "lee", "santara"])
def test_thinned_networks(name):
    model = built(name)
    smaller = thin(model, plan(model, config=PruningConfig(0.5)))
    assert smaller.count_params() < model.count_params()
    assert_dense(smaller)


def test_networks_with_what_comes_before_them():
    spectra = RNG.normal(size=(60, 20)).astype(np.float32)
    reducer = fit(
        "pca:6", TrainingSpectra(spectra, np.zeros(60, np.int32), 0), lambda: spectra, None
    )
    normalizer = Normalizer((1.0,) * 20, (2.0,) * 20)
    assert_dense(fold_preprocessing(built("cao"), normalizer, reducer))


def test_work_is_shared():
    # The patch has 49 windows of 3 x 3 pixels; the tile has 6 x 6 of them for 16 pixels.
    model = model_of((9, 9, 4), layers.Conv2D(6, 3), layers.Flatten(), layers.Dense(3))
    assert (
        cost(to_fully_convolutional(model, 4, Arithmetic(channel_alignment=1))).macs
        == 10 * 10 * 9 * 4 * 6 + 16 * 49 * 6 * 3
    )


def test_what_no_output_needs_is_left_out():
    whole = to_fully_convolutional(built("lee"), 4)
    assert len([layer for layer in whole.layers if isinstance(layer, layers.Conv2D)]) < 15


def test_a_tile_form_that_saves_nothing_is_rejected():
    stack = [layers.Conv2D(4, 3, padding="same") for _ in range(4)]
    model = model_of((5, 5, 4), *stack, layers.Flatten(), layers.Dense(3))
    with pytest.raises(LoweringError, match=r"tile form.*from layer 'conv2d.*one by one"):
        to_fully_convolutional(model, 4)


def test_two_outputs_are_rejected():
    inputs = keras.Input((3, 3, 4))
    x = layers.Flatten()(inputs)
    with pytest.raises(LoweringError, match=r"2 output"):
        to_fully_convolutional(keras.Model(inputs, [layers.Dense(3)(x), layers.Dense(4)(x)]), 4)


@pytest.mark.parametrize("side", [0, 100_000])
def test_tiles_out_of_range_are_rejected(side):
    with pytest.raises(InputError, match="tile"):
        to_fully_convolutional(built("hu"), side)


def test_the_original_is_untouched():
    model = built("cao")
    before = [np.array(weight) for weight in model.get_weights()]
    to_fully_convolutional(model, 3)
    for then, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)
    assert model.get_layer("conv1").output is not None


@pytest.mark.parametrize("name", ["cao", "he"])
def test_int8_is_integer_throughout(name, tmp_path):
    model = built(name)
    patch, _, bands = model.input_shape[1:]
    whole = to_fully_convolutional(model, 6, VARIANTS["int8"].arithmetic)
    tiles = RNG.normal(size=(8, 5 + patch, 5 + patch, bands)).astype(np.float32)
    path = tmp_path / "dense.tflite"
    CONVERTERS["int8"](whole, Calibration(tiles), path)
    assert inspection.tflite(path).integer_share == 1
    runtime = LiteRT(path)
    assert tile_side(runtime) == 6
    expected = np.asarray(whole(tiles[:1]))
    assert np.abs(predict(runtime, tiles[:1]) - expected).max() < 0.15 * np.abs(expected).max()


def test_the_difference_is_found():
    model = built("cao")
    whole = to_fully_convolutional(model, 4)
    cube = RNG.normal(size=(12, 12, 6)).astype(np.float32)
    error, largest = tile_difference(model, whole, cube)
    assert error <= 1e-4 * largest
    whole.weights[0].assign_add(np.ones(whole.weights[0].shape))
    assert tile_difference(model, whole, cube)[0] > 1e-2 * largest


def test_patterns_by_hand():
    # A row of three windows of two pixels, the last cut off.
    reads = {
        (0, col): [Tap((0, tap), 0, 0, col + tap) for tap in (0, 1) if col + tap < 3]
        for col in range(3)
    }
    found, sites = shared_patterns(reads, (1, 3))
    assert [(len(each.taps), each.window) for each in found] == [(2, (1, 2)), (1, (1, 1))]
    assert sites[0].tolist() == [[0, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_lattices_by_hand():
    regular = [Tap((row, col), 0, 2 * row, 3 * col) for row in (0, 1) for col in (0, 1, 2)]
    (found,) = lattices(regular)
    assert (found.first, found.step, found.halo) == ((0, 0), (2, 3), (2, 6))
    bent = [Tap((0, 0), 0, 0, 0), Tap((0, 1), 0, 0, 1), Tap((0, 2), 0, 0, 5)]
    assert len(lattices(bent)) == 3


def test_every_pixel_is_in_one_tile():
    cube = RNG.normal(size=(10, 7, 2)).astype(np.float32)
    source = PatchSource.from_cube(cube, 3)
    seen = []
    for window, members, inside in source.tiles(np.arange(70), 4):
        assert window.shape == (6, 6, 2)
        for pixel, place in zip(members, inside, strict=True):
            row, col = divmod(int(place), 4)
            patch = source.extract(np.array([pixel]))[0]
            np.testing.assert_array_equal(window[row : row + 3, col : col + 3], patch)
        seen += members.tolist()
    assert sorted(seen) == list(range(70))


def test_a_batch_of_tiles_is_rejected():
    with pytest.raises(InputError, match="one tile per inference"):
        ExportRequest((VARIANTS["int8"],), batch=2, tile=64)


CAO = ("--model", "cao", "--split", "random", "--train", "60")


@pytest.fixture(scope="module")
def exported(shell):
    trained = shell("train", *CAO, *shell.SCENE, "--epochs", "6")
    assert trained.returncode == 0, trained.stderr
    flags = ("--float32", "--float16", "--int8", "--onnx")
    done = shell("export", *CAO, *shell.SCENE, *flags, "--tile", "16", timeout=480)
    assert done.returncode == 0, done.stderr
    return done, shell.folder / "export/tiny/cao"


def test_export_makes_tile_files(exported):
    done, folder = exported
    assert "Latency of one tile of 16 x 16 pixels" in done.stdout
    for name in ("float32", "float16", "int8", "onnx"):
        record = Bundle.open(folder / f"{name}-tile16").record
        assert record.tile == 16
        assert record.input.shape == (1, 24, 24, 24)
        assert record.output.shape == (1, 16, 16, 4)
        assert record.agreement >= VARIANTS[name].bounds.agreement
    assert record.relative_logit_error <= 1e-4


def test_the_int8_tile_file_is_integer_throughout(exported):
    record = Bundle.open(exported[1] / "int8-tile16").record
    assert record.integer_share == 1
    assert record.max_rank <= 4
    assert record.calibration_patches > 0


def test_golden_tiles_replay_bit_for_bit(exported):
    bundle = Bundle.open(exported[1] / "int8-tile16")
    runtime = LiteRT(bundle.file)
    with np.load(bundle.folder / GOLDEN, allow_pickle=False) as golden:
        received = runtime.infer(golden["stored_inputs"])
        np.testing.assert_array_equal(received, golden["stored_outputs"])
        assert golden["network_outputs"].shape == golden["outputs"].shape == (1, 16, 16, 4)
        named = golden["network_outputs"].argmax(-1) == golden["outputs"].argmax(-1)
    assert named.mean() > 0.9
    assert (bundle.folder / RECORD).is_file()


def test_a_map_is_made_with_a_tile_file(exported, shell):
    bundle = "export/tiny/cao/float32-tile16"
    done = shell("classify", "--from", bundle, *shell.SCENE, "--out", "map.tif")
    assert done.returncode == 0, done.stderr


def test_calibration_sees_training_pixels_only(tiny):
    data = prepare(tiny, SplitOptions(patch=3))
    tiles = calibration_tiles(data, 8)
    assert tiles.shape[1:] == (10, 10, tiny.bands)
    taught = {patch.tobytes() for patch in data.patches.extract(data.split.train)}
    assert all(tile[:3, :3].tobytes() in taught for tile in tiles)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (layers.Lambda(lambda x: 2 * x, output_shape=(4, 3)), "cannot be read off its type"),
        (layers.UnitNormalization(), "has no rule yet"),
        (layers.Activation("glu"), "an activation that cannot be lowered"),
    ],
    ids=["code", "no_rule", "activation"],
)
def test_refused_layers_have_the_names_that_users_know(layer, why):
    inputs = keras.Input((3, 3, 4))
    tokens = layers.Reshape((4, 9))(layers.Permute((3, 1, 2))(inputs))
    x = layer(layers.MultiHeadAttention(2, 2)(tokens, tokens)[:, :, :3])
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    with pytest.raises(LoweringError, match=why) as found:
        to_fully_convolutional(model, 2)
    assert f"layer {layer.name!r}" in str(found.value)
