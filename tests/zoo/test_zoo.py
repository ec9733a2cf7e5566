from __future__ import annotations

import importlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import ROOT

from hsitf import zoo
from hsitf.cost import cost
from hsitf.errors import InputError
from hsitf.runs import NETWORK
from hsitf.zoo import _resnet, boulch, gaht, liu, santara, ssrn

RNG = np.random.default_rng(0)

# 200 bands are 208 in 16 groups, as the 204 of Salinas are, for which its authors count 972,624.
GAHT = 972_624
# Trainable and non-trainable weights at 200 bands, for 16 and 17 classes, as the papers and
# their authors' code have them; moving statistics of batch normalization stand behind a plus,
# since PyTorch does not count them.
COUNTS = {
    # The authors have two normalizations that nothing uses, and 9 weights a block for these 3.
    "a2s2k": (370_856 - 2 * 48 - 4 * 6 + 832, 370_881 - 2 * 48 - 4 * 6 + 832),
    "boulch": (6_067 + 256, 6_071 + 256),
    "cao": (1_142_416, 1_142_517),
    "chen": (1_119_856, 1_123_281),
    "dbda": (382_328 + 792, 382_449 + 792),
    # The authors' code has 30,631 for 16 classes; a class more has 51 weights.
    "deephs": (30_631 + 310, 30_682 + 310),
    # Five means and widths and a convolution of 7 x 7 x 5 for its 21,025 of the first layer.
    "deephs_hyve": (15_766 + 310, 15_817 + 310),
    "fdssc": (2_574_880 + 1_072, 2_574_941 + 1_072),
    "gaht": (GAHT + 896, GAHT + 65 + 896),
    "hamida": (45_196, 46_107),
    "he": (269_024, 284_897),
    "hu": (72_196, 72_297),
    "justoliunet": (7_120, 7_289),
    # A further class has a kernel of 6 * 9, a scale and a shift, and two moving statistics.
    "justounet": (13_040 + 2 * 40, 13_040 + 2 * 40 + 6 * 9 + 4),
    "lee": (390_288, 390_417),
    "li": (115_248, 121_521),
    "liu": (155_776 + 160, 156_497 + 160),
    "luo": (103_846_618, 103_847_643),
    "mou": (243_280 + 2 * 64 * 200, 256_081 + 2 * 64 * 200),
    "nn": (17_227_792, 17_229_841),
    "roy": (5_122_176, 5_122_305),
    "santara": (94_561, 94_662),
    "spectralformer": (355_577, 355_642),
    # As at 112 bands and 3 classes, with 88 bands more in the first layer; 8 + 1 a class.
    "spwunet": (28_808 + 2 * 172, 28_817 + 2 * 172),
    "ssftt": (153_224 + 144, 153_289 + 144),
    "ssrn": (346_144 + 640, 346_169 + 640),
    "sharma": (2_635_312 + 2 * (96 + 256), 2_636_337 + 2 * (96 + 256)),
}
# Where a paper reduces its scene first.
REDUCED = {"roy": 30, "ssftt": 30}
# Networks of the pruning paper: classes, trainable weights and multiply-accumulates, on color
# images. The paper leaves out the moving statistics of batch normalization, as PyTorch does.
# In the small residual networks every convolution of stride 1 multiplies 9 * 16 * 16 * 32 * 32
# times, whatever its stage, and one of stride 2 half as often.
CIFAR, HALF = 2_359_296, 1_179_648
STEM = 27 * 16 * 32 * 32
VGG16 = 27 * 64 * 32 * 32 + 36_864 * (1024 + 512 + 1024 + 512 + 2048 + 512 + 2048 + 3 * 256)
IMAGES = {
    "resnet20": (100, 278_324, STEM + 16 * CIFAR + 2 * HALF + 2 * 512 * 256 + 6_400),
    "resnet56": (10, 853_018, STEM + 52 * CIFAR + 2 * HALF + 640),
    "resnet110": (10, 1_727_962, STEM + 106 * CIFAR + 2 * HALF + 640),
    "resnet50": (1000, 25_557_032, 4_089_184_256),
    "vgg16": (10, 14_991_946, VGG16 + 512 * 512 + 5_120),
}
# As the paper prints them.
PRINTED = {
    "resnet56": (0.85e6, 125.49e6),
    "resnet110": (1.72e6, 252.89e6),
    "resnet50": (25.5e6, 4.09e9),
    "vgg16": (15e6, 314e6),
}


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize("name", sorted(COUNTS))
@pytest.mark.parametrize("place", [0, 1])
def test_parameter_counts(name, place):
    model = zoo.build(name, bands=REDUCED.get(name, 200), classes=16 + place)
    assert model.count_params() == COUNTS[name][place]


def test_parameter_counts_of_variants():
    # As published: in orbit with 112 bands and 3 classes; of single pixels; of Pavia University.
    assert trainable(zoo.build("justoliunet", bands=112, classes=3)) == 4_563
    assert trainable(zoo.build("spectralformer", bands=200, classes=16, patch=1)) == 346_361
    assert trainable(gaht.build(103, 9, 7, groups=2, blocks=(1, 2, 1))) == 927_113
    # A further spectral block has 2 x (24 * 24 * 7 + 24) weights and a normalization of 48, a
    # spatial one 2 x (24 * 24 * 9 + 24), the same normalization and a shortcut of 24 * 24 + 24.
    more = 2 * 4_056 + 48 + 2 * 5_208 + 48 + 600
    assert trainable(ssrn.build(200, 16, 7, blocks=2)) == 346_144 + more
    with pytest.raises(InputError, match="no residual block; received: 0"):
        ssrn.build(200, 16, 7, blocks=0)


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_costs_of_networks_for_images(name):
    classes, parameters, macs = IMAGES[name]
    model = zoo.build(name, bands=3, classes=classes)
    assert trainable(model) == parameters
    assert cost(model).macs == macs


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_costs_are_those_printed(name):
    for counted, printed in zip(IMAGES[name][1:], PRINTED[name], strict=True):
        assert counted == pytest.approx(printed, rel=0.005)


def test_resnet20_is_printed_with_its_normalization():
    # 41.2 M counts a multiplication and an addition for each element that is normalized: seven
    # values of the first stage, seven of each other stage with the shortcut's.
    elements = 7 * 16 * 32 * 32 + 7 * 32 * 16 * 16 + 7 * 64 * 8 * 8
    assert IMAGES["resnet20"][2] + 2 * elements == pytest.approx(41.2e6, rel=0.005)


def test_every_network_is_counted():
    assert set(zoo.names()) == {*COUNTS, *IMAGES}


@pytest.mark.parametrize("name", zoo.names())
def test_logits_and_names_at_the_papers_patch(name):
    facts = zoo.network(name)
    bands = max(50, facts.min_bands)
    model, again = (zoo.build(name, bands=bands, classes=5) for _ in range(2))
    assert model.name == name
    side = facts.tile or facts.patch
    assert model.input_shape == (None, side, side, bands)
    assert model.output_shape == ((None, side, side, 5) if facts.tile else (None, 5))
    assert model.layers[-1].name == "logits"
    # Names that Keras makes up go on counting from one network to the next.
    assert [layer.name for layer in model.layers] == [layer.name for layer in again.layers]


@pytest.mark.parametrize("name", zoo.names())
def test_smallest_geometry_runs_and_less_is_refused(name):
    facts = zoo.network(name)
    side, bands = facts.min_patch, facts.min_bands
    model = zoo.build(name, bands=bands, classes=2, patch=side)
    logits = model(np.zeros((3, *model.input_shape[1:]), np.float32))
    assert logits.shape == (3, *model.output_shape[1:-1], 2)
    if bands > 1:
        with pytest.raises(InputError, match=rf"received: {bands - 1} bands; allowed: {bands}"):
            zoo.build(name, bands=bands - 1, classes=2, patch=side)
    if facts.tile:
        # See test_tile_networks.py.
        return
    with pytest.raises(InputError, match="cannot run with this patch"):
        zoo.build(name, bands=bands, classes=2, patch=side - 1)
    if facts.max_patch:
        with pytest.raises(InputError, match="cannot run with this patch"):
            zoo.build(name, bands=bands, classes=2, patch=facts.max_patch + 1)


def impossible(name: str, bands: int, side: int) -> bool:
    module = __import__(f"hsitf.zoo.{name}", fromlist=["build"])
    try:
        model = module.build(bands, 2, side)
    except (ValueError, InputError):
        return True
    # Older releases of Keras build what has no room.
    return any(size is not None and size <= 0 for la in model.layers for size in la.output.shape)


@pytest.mark.parametrize("name", [n for n in zoo.names() if not zoo.network(n).tile])
def test_smallest_geometry_is_the_smallest(name):
    # The stated limits are those of the layers themselves.
    facts = zoo.network(name)
    side, bands = facts.min_patch, facts.min_bands
    assert not impossible(name, bands, side)
    assert impossible(name, bands, side - 1)
    if bands > 1:
        assert impossible(name, bands - 1, facts.patch)
    if facts.max_patch:
        assert impossible(name, bands, facts.max_patch + 1)


DEEP = {"resnet110", "resnet50"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in DEEP else []) for name in zoo.names()],
)
def test_saves_and_loads_bit_equal(name, tmp_path):
    facts = zoo.network(name)
    side = max(facts.min_patch, min(9, facts.max_patch or 9))
    shape = (side, side, max(24, facts.min_bands))
    model = zoo.build(name, bands=shape[2], classes=3, patch=shape[0])
    x = RNG.normal(size=(4, *model.input_shape[1:])).astype(np.float32)
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(again(x)))


# Indian Pines in the literature's and in its full length, Salinas, KSC, PaviaU; 111 to 119 cannot
# be divided into 10 groups or more of 11 or more, as 119 = 7 * 17, and fewer than 110 are too few.
@pytest.mark.parametrize(
    ("bands", "channels", "groups"),
    [
        (200, 200, 10),
        (220, 220, 10),
        (204, 204, 12),
        (176, 176, 11),
        (156, 156, 12),
        (103, 110, 10),
        (40, 110, 10),
        (111, 120, 10),
        (139, 140, 10),
        (1, 110, 10),
    ],
)
def test_groups_of_santara(bands, channels, groups):
    model = zoo.build("santara", bands=bands, classes=2)
    assert model.get_layer("select").output.shape == (None, 3, 3, channels)
    assert model.get_layer("groups").output.shape == (None, groups, channels // groups, 9)


def test_groups_of_santara_with_the_same_weights_are_groups_that_share_them(tmp_path):
    shared, apart = (santara.build(120, 4, 3, shared=choice) for choice in (True, False))
    assert apart.count_params() == shared.count_params() + 9 * 2_645
    for layer in shared.layers:
        weights = layer.get_weights()
        if layer.name.startswith("conv"):
            for group in range(1, 11):
                # A kernel of one row, and the same without the row.
                apart.get_layer(f"group{group}_{layer.name}").set_weights(
                    [weights[0][0], weights[1]]
                )
        elif weights:
            apart.get_layer(layer.name).set_weights(weights)
    x = RNG.normal(size=(5, 3, 3, 120)).astype(np.float32)
    expected = np.asarray(shared(x))
    np.testing.assert_allclose(np.asarray(apart(x)), expected, atol=1e-5)
    assert np.ptp(expected) > 0
    apart.save(tmp_path / "apart.keras")
    again = keras.saving.load_model(tmp_path / "apart.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(apart(x)))


def test_groups_of_santara_are_neighbors_along_the_spectrum():
    model = zoo.build("santara", bands=110, classes=2)
    select = model.get_layer("select")
    select.set_weights([np.eye(110)[None, None], np.zeros(110)])
    groups = keras.Model(model.input, model.get_layer("groups").output)
    x = RNG.uniform(size=(1, 3, 3, 110)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(groups(x))[0, 2, 5], x.reshape(9, 110)[:, 2 * 11 + 5])


@pytest.mark.parametrize("side", [3, 4, 5, 6])
@pytest.mark.parametrize("bands", [3, 4, 5])
def test_hamida_takes_every_side_and_number_of_bands(side, bands):
    model = zoo.build("hamida", bands=bands, classes=2, patch=side)
    assert model.output_shape == (None, 2)


def test_hamida_halves_the_spectrum_whether_it_is_odd_or_even():
    # The sizes that the authors' code has for 200 bands, two of them odd.
    model = zoo.build("hamida", bands=200, classes=2)
    lengths = [model.get_layer(f"conv{number}").output.shape[3] for number in range(1, 7)]
    assert lengths == [198, 99, 99, 50, 50, 26]


def test_kernels_of_chen_start_unequal():
    model = zoo.build("chen", bands=94, classes=2)
    second, third = (np.asarray(model.get_layer(name).kernel) for name in ("conv2", "conv3"))
    assert second.shape == third.shape
    assert np.abs(second - third).max() > 1e-3
    assert np.std(second) == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize("side", [5, 6])
def test_lee_answers_for_the_center_and_sees_its_neighbors(side):
    model = zoo.build("lee", bands=7, classes=3, patch=side)
    patch = RNG.normal(size=(side, side, 7)).astype(np.float32)
    changed = np.repeat(patch[None], side * side, axis=0)
    for place in range(side * side):
        changed[place, place // side, place % side] += 1
    # In a batch as large: processors round by its size.
    same = np.repeat(patch[None], side * side, axis=0)
    differs = np.asarray(model(changed) != model(same)).any(1).reshape(side, side)
    expected = np.zeros((side, side), bool)
    middle = slice(side // 2 - 1, side // 2 + 2)
    expected[middle, middle] = True
    np.testing.assert_array_equal(differs, expected)


LOADING = """
import sys
from pathlib import Path
from types import SimpleNamespace as Facts
from hsitf.files import sha256
from hsitf.runs import NETWORK, Run

folder = Path(sys.argv[1])
scene = Facts(shape=(1, 1, 7), class_names=("a", "b", "c"))
plan = Facts(patch=5, network="lee")
record = Facts(sha256=sha256(folder / NETWORK), plan=plan, scene=scene, components=7)
assert Run(folder, record).network().name == "lee"
"""


@pytest.mark.slow
def test_lee_loads_in_a_process_that_knows_runs_alone(tmp_path):
    zoo.build("lee", bands=7, classes=3).save(tmp_path / NETWORK)
    command = [sys.executable, "-c", LOADING, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Trainable weights at 200 bands for 16 and 17 classes; what the toolbox creates for liu includes
# a batch normalization of 720 values that its forward pass leaves out.
@pytest.mark.parametrize(
    ("module", "counts", "statistics"),
    [
        (liu, (4_815_256 - 1_440, 4_815_977 - 1_440), 2 * (80 + 720 + 3_920)),
        (boulch, (6_867, 6_871), 2 * (32 + 6 * 16)),
    ],
)
def test_parameter_counts_with_a_decoder(module, counts, statistics):
    for place, count in enumerate(counts):
        model = module.semi_supervised(module.build(200, 16 + place, module.NETWORK.patch))
        assert trainable(model) == count
        assert model.count_params() == count + statistics


@pytest.mark.parametrize("name", zoo.names())
def test_networks_with_a_weight_for_a_decoder_have_one(name):
    module = importlib.import_module(f"hsitf.zoo.{name}")
    assert (zoo.network(name).reconstruction_weight is not None) == hasattr(
        module, "semi_supervised"
    )


@pytest.mark.parametrize("module", [liu, boulch])
def test_a_decoder_leaves_the_network_as_it_is(module):
    patch = module.NETWORK.patch
    model = module.semi_supervised(module.build(6, 3, patch))
    assert model.output_shape == [(None, 3), (None, 6)]
    network = keras.Model(model.input, model.outputs[0])
    expected = module.build(6, 3, patch)
    assert [layer.name for layer in network.layers] == [layer.name for layer in expected.layers]


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables .'logits")
@pytest.mark.parametrize("module", [liu, boulch])
def test_unlabelled_pixels_teach_the_encoder_alone(module):
    patch = module.NETWORK.patch
    model = module.semi_supervised(module.build(6, 3, patch))
    network = keras.Model(model.input, model.outputs[0])
    before = {variable.path: np.array(variable) for variable in network.trainable_variables}
    model.compile("sgd", [None, "mse"])
    x = RNG.normal(size=(8, patch, patch, 6)).astype(np.float32)
    model.train_on_batch(x, [np.zeros((8, 3)), x[:, patch // 2, patch // 2]])
    changed = {
        variable.path.split("/")[0]
        for variable in network.trainable_variables
        if not np.array_equal(before[variable.path], np.asarray(variable))
    }
    learning = {layer.name for layer in network.layers if layer.trainable_variables}
    assert changed == learning - {"logits"}


@pytest.mark.parametrize("side", [4, 5])
def test_shortcut_without_weights_by_hand(side):
    inputs = keras.Input((side, side, 2))
    model = keras.Model(inputs, _resnet.padded(inputs, 5, 2, "shortcut"))
    x = RNG.normal(size=(2, side, side, 2)).astype(np.float32)
    expected = np.zeros((2, (side + 1) // 2, (side + 1) // 2, 5), np.float32)
    expected[..., 1:3] = x[:, ::2, ::2]
    np.testing.assert_array_equal(np.asarray(model(x)), expected)


@pytest.mark.parametrize("side", [4, 5])
@pytest.mark.parametrize("taps", [1, 3, 7])
def test_convolutions_of_stride_2_are_centered_on_the_pixels_of_the_shortcut(side, taps):
    inputs = keras.Input((side, side, 2))
    model = keras.Model(inputs, _resnet.normalized(inputs, 2, taps, "conv", 2))
    center = np.zeros((taps, taps, 2, 2))
    center[taps // 2, taps // 2] = np.eye(2)
    model.get_layer("conv").set_weights([center])
    x = RNG.normal(size=(2, side, side, 2)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(model(x)), x[:, ::2, ::2], rtol=1e-4)


def test_unknown_network_offers_the_nearest():
    with pytest.raises(InputError, match=r"unknown network 'coa'.*did you mean cao"):
        zoo.build("coa", bands=200, classes=16)


def test_one_class_is_refused():
    with pytest.raises(InputError, match="2 or more"):
        zoo.build("hu", bands=20, classes=1)


def test_a_recipe_checks_itself():
    with pytest.raises(InputError, match="batch size has to be positive"):
        zoo.Recipe("sgd", 0.1, batch_size=0)


# Of the networks of today: why fewer bands than the first number, and smaller patches than the
# second, leave nothing for their layers. A patch of justoliunet is one pixel.
LEAST = {
    "a2s2k": (7, 3),
    "dbda": (7, 1),
    "deephs": (1, 4),
    "deephs_hyve": (2, 10),
    "fdssc": (7, 3),
    "gaht": (1, 1),
    "justoliunet": (91, 1),
    "spectralformer": (1, 1),
    "ssftt": (3, 5),
    "ssrn": (7, 3),
}


@pytest.mark.parametrize("name", [name for name in LEAST if LEAST[name][0] > 1])
def test_too_few_bands_are_refused_in_one_message(name):
    least, side = LEAST[name][0], zoo.network(name).patch
    with pytest.raises(InputError) as caught:
        zoo.build(name, bands=least - 1, classes=3, patch=side)
    assert str(caught.value) == (
        f"{name} cannot run with so few bands; received: {least - 1} bands; allowed: {least} or "
        "more; keep more bands or choose another network."
    )


@pytest.mark.parametrize("name", LEAST)
def test_a_patch_it_cannot_take_is_refused_in_one_message(name):
    (bands, least), paper = LEAST[name], zoo.network(name).patch
    most = zoo.network(name).max_patch
    for side in (least - 1, *([most + 1] if most else [])):
        with pytest.raises(InputError) as caught:
            zoo.build(name, bands=bands, classes=3, patch=side)
        assert str(caught.value) == (
            f"{name} cannot run with this patch; received: {side} x {side} pixels; allowed: a side "
            f"of {least}{f' to {most}' if most else ' or more'}; the paper's is {paper}; give "
            "another --patch or leave it out."
        )


# What normalizations add to variances and how slowly they follow a batch, as the authors' code has
# them: PyTorch's and Keras' own values, and a thousandth where PyTorch is given it.
NORMALIZATIONS = {
    "a2s2k": {("conv1_norm", 1e-3, 0.9), ("spectral1_norm", 1e-5, 0.9), ("end_norm", 1e-5, 0.9)},
    "dbda": {("spectral1_norm", 1e-3, 0.9), ("spatial_end_norm", 1e-3, 0.9)},
    "deephs": {("conv1_norm", 1e-5, 0.9), ("mean_norm", 1e-5, 0.9)},
    "fdssc": {("conv2_norm", 1e-3, 0.99)},
    "gaht": {("stage1_conv_norm", 1e-5, 0.9)},
    "ssftt": {("conv1_norm", 1e-5, 0.9), ("conv2_norm", 1e-5, 0.9)},
    "ssrn": {("conv1_norm", 1e-3, 0.99)},
}


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalizations_are_those_of_the_authors(name):
    model = zoo.build(name, bands=20, classes=3)
    for layer, epsilon, momentum in NORMALIZATIONS[name]:
        found = model.get_layer(layer)
        assert (found.epsilon, found.momentum) == (epsilon, momentum)


@pytest.mark.parametrize(("bands", "taps", "left"), [(200, 97, 1), (103, 48, 2), (7, 1, 1)])
def test_dbda_leaves_two_positions_of_an_odd_number_of_bands(bands, taps, left):
    # As the authors' kernel of (bands - 6) / 2, rounded down, does; PaviaU has 103 bands, for which
    # their code has 203,619 weights, of which 19 are never used.
    model = zoo.build("dbda", bands=bands, classes=16)
    layer = model.get_layer("spectral_conv2")
    assert layer.kernel_size == (1, 1, taps)
    assert layer.output.shape == (None, 9, 9, left, 60)
    if bands == 103:
        assert trainable(model) == 203_619 - 19


@pytest.mark.parametrize(("side", "windows"), [(9, [2, 2]), (15, [2, 2]), (16, [4, 4])])
def test_deephs_averages_over_smaller_windows_in_a_small_patch(side, windows):
    model = zoo.build("deephs", bands=5, classes=3, patch=side)
    found = [model.get_layer(f"pool{number}").pool_size[0] for number in (1, 2)]
    assert found == windows


def test_deephs_hyve_is_of_the_wavelengths_that_it_is_given():
    centers = np.linspace(400, 900, 24).tolist()
    model = zoo.build("deephs_hyve", bands=24, classes=3, wavelengths=centers)
    layer = model.get_layer("wavelengths")
    assert layer.centers.tolist() == centers
    # Five means evenly over the cells of all bands.
    step = 500 / 23
    low, high = 400 - step / 2, 900 + step / 2
    np.testing.assert_allclose(layer.wavelengths, np.linspace(low, high, 7)[1:-1], rtol=1e-5)
    # Counted and drawn without.
    assert cost(zoo.build("deephs_hyve", bands=24, classes=3)) == cost(model)
    # 24 bands for 5 filters at 11 x 11 pixels, then 5 x 5 positions of 7 x 7 x 5 weights for 25.
    behind = cost(keras.Model(model.get_layer("conv1").output, model.output)).macs
    assert cost(model).macs - behind == 121 * 24 * 5 + 25 * 49 * 5 * 25


@pytest.mark.parametrize("name", ["dbda", "spectralformer", "ssftt", "deephs_hyve"])
def test_learned_layers_load_in_safe_mode_with_what_they_learned(name, tmp_path):
    model = zoo.build(name, bands=12, classes=3)
    for variable in model.trainable_variables:
        variable.assign(RNG.normal(size=variable.shape))
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    kinds = {"LearnedScale", "LearnedTokens", "PositionEmbedding", "WavelengthFilters"}
    learned = [layer for layer in model.layers if type(layer).__name__ in kinds]
    assert learned
    for layer in learned:
        for mine, other in zip(
            layer.get_weights(), again.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, other)
