from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf import zoo
from hsitf.cost import cost
from hsitf.errors import InputError
from hsitf.zoo import _resnet, santara

RNG = np.random.default_rng(0)

# Trainable and non-trainable weights at 200 bands, for 16 and 17 classes, as the papers and
# their authors' code have them.
COUNTS = {
    "cao": (1_142_416, 1_142_517),
    "he": (269_024, 284_897),
    "hu": (72_196, 72_297),
    "luo": (103_846_618, 103_847_643),
    "santara": (94_561, 94_662),
}
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
    model = zoo.build(name, bands=200, classes=16 + place)
    assert model.count_params() == COUNTS[name][place]


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
    bands = max(50, facts.smallest_bands)
    model, again = (zoo.build(name, bands=bands, classes=5) for _ in range(2))
    assert model.name == name
    assert model.input_shape == (None, facts.patch, facts.patch, bands)
    assert model.output_shape == (None, 5)
    assert model.layers[-1].name == "logits"
    # Names that Keras makes up go on counting from one network to the next.
    assert [layer.name for layer in model.layers] == [layer.name for layer in again.layers]


@pytest.mark.parametrize("name", zoo.names())
def test_smallest_geometry_runs_and_less_is_refused(name):
    facts = zoo.network(name)
    side, bands = facts.smallest_patch, facts.smallest_bands
    model = zoo.build(name, bands=bands, classes=2, patch=side)
    logits = model(np.zeros((3, side, side, bands), np.float32))
    assert logits.shape == (3, 2)
    if bands > 1:
        with pytest.raises(InputError, match=rf"received: {bands - 1} bands; allowed: {bands}"):
            zoo.build(name, bands=bands - 1, classes=2, patch=side)
    with pytest.raises(InputError, match="cannot run with this patch"):
        zoo.build(name, bands=bands, classes=2, patch=side - 1)
    if facts.largest_patch:
        with pytest.raises(InputError, match="cannot run with this patch"):
            zoo.build(name, bands=bands, classes=2, patch=facts.largest_patch + 1)


def impossible(name: str, bands: int, side: int) -> bool:
    module = __import__(f"hsitf.zoo.{name}", fromlist=["build"])
    try:
        model = module.build(bands, 2, side)
    except (ValueError, InputError):
        return True
    # Older releases of Keras build what has no room.
    return any(size is not None and size <= 0 for la in model.layers for size in la.output.shape)


@pytest.mark.parametrize("name", zoo.names())
def test_smallest_geometry_is_the_smallest(name):
    # The stated limits are those of the layers themselves.
    facts = zoo.network(name)
    side, bands = facts.smallest_patch, facts.smallest_bands
    assert not impossible(name, bands, side)
    assert impossible(name, bands, side - 1)
    if bands > 1:
        assert impossible(name, bands - 1, side)
    if facts.largest_patch:
        assert impossible(name, bands, facts.largest_patch + 1)


@pytest.mark.parametrize("name", zoo.names())
def test_saves_and_loads_bit_equal(name, tmp_path):
    facts = zoo.network(name)
    side = max(facts.smallest_patch, min(9, facts.largest_patch or 9))
    shape = (side, side, max(24, facts.smallest_bands))
    model = zoo.build(name, bands=shape[2], classes=3, patch=shape[0])
    x = RNG.normal(size=(4, *shape)).astype(np.float32)
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(again(x)))


# Indian Pines in the literature's and in its full length, Salinas, KSC.
@pytest.mark.parametrize(("bands", "groups"), [(200, 10), (220, 10), (204, 12), (176, 11)])
def test_groups_of_santara(bands, groups):
    model = zoo.build("santara", bands=bands, classes=2)
    assert model.get_layer("groups").output.shape == (None, groups, bands // groups, 9)


# 111 = 3 * 37, 119 = 7 * 17 and 139 have no divisor between 10 and an eleventh of themselves.
@pytest.mark.parametrize(("bands", "nearest"), [(111, 110), (119, 110), (139, 132)])
def test_santara_names_a_number_of_bands_that_it_can_divide(bands, nearest):
    with pytest.raises(InputError, match=f"received: {bands} bands.*such as {nearest} bands"):
        zoo.build("santara", bands=bands, classes=2)
    assert zoo.build("santara", bands=nearest, classes=2).output_shape == (None, 2)


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
    with pytest.raises(InputError, match="batch has to be positive"):
        zoo.Recipe("sgd", 0.1, batch=0)
