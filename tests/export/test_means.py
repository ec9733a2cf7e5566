"""Means against loss of accuracy in integer files: which are tried, and in what order."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from hsitf.errors import InputError, VerificationError
from hsitf.export import pipeline
from hsitf.export.calibration import Calibration
from hsitf.export.means import CORRECTED, EQUALIZED, Bench, Form, attempts
from hsitf.export.request import Request
from hsitf.export.variants import VARIANTS, variant
from hsitf.progress import Silent
from hsitf.quantize import mixed
from hsitf.quantize.mixed import Recipe
from hsitf.quantize.observed import observe
from hsitf.quantize.ranges import METHODS

RNG = np.random.default_rng(0)
PATCHES = RNG.normal(size=(64, 3, 3, 8)).astype(np.float32)
WIDE = "16-bit activations in"


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input(batch_shape=(1, 3, 3, 8), name="patch")
    for layer in (
        layers.Conv2D(16, 1, activation="relu", name="first"),
        layers.Conv2D(16, 3, activation="relu", name="second"),
        layers.Flatten(),
        layers.Dense(12, activation="relu", name="third"),
        layers.Dense(3, name="fourth"),
    ):
        x = layer(x)
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def source(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("means") / "float32.tflite"
    VARIANTS["float32"].convert(network, Calibration(PATCHES), path)
    return path


def bench(
    network, source, folder, judge, methods=tuple(METHODS), corrections=(False,), twice=False
):
    def plain(path):
        VARIANTS["int8"].convert(network, Calibration(PATCHES), path)

    forms = [Form((), source, plain), *[Form((EQUALIZED,), source, plain)] * twice]
    return Bench(folder, (), forms, PATCHES, methods, corrections, judge, 0.5, Silent())


def kind(path):
    """How a file was made: by which ranges, with how many operators of 16 bits."""
    return path.stem.rsplit("-", 1)[0]


def wide(path):
    """Operators that a recipe's file was made with of 16 bits."""
    return 0 if kind(path).startswith("plain") else int(kind(path).rsplit("-", 1)[1])


def test_the_converter_is_enough_where_it_is(network, source, tmp_path):
    found = attempts(bench(network, source, tmp_path, lambda path: 0.2))
    first = next(found)
    assert first.means == ()
    assert first.drop == 0.2


def test_the_best_ranges_come_next(network, source, tmp_path):
    losses = {"plain0": 3, "min-max-0": 2, "percentile-0": 0.4, "mse-0": 0.1, "kl-0": 5}
    found = attempts(bench(network, source, tmp_path, lambda path: losses[kind(path)]))
    assert next(found).means == ("ranges by mse",)


def test_what_costs_nothing_comes_before_other_ranges(network, source, tmp_path):
    """The converter's files first, which need no extra: corrected, equalized, both."""
    losses = iter([9.0, 8.0, 7.0, 6.0, *[0.0] * 99])
    wanted = bench(
        network, source, tmp_path, lambda path: next(losses), ("kl",), (False, True), twice=True
    )
    tried = []
    wanted.progress.say = tried.append
    assert next(attempts(wanted)).means == ("ranges by kl",)
    assert [line.split(":")[0] for line in tried] == [
        "int8 with the converter's own ranges",
        "int8 with biases corrected",
        "int8 with channels equalized",
        "int8 with channels equalized, biases corrected",
        "int8 with ranges by kl",
    ]


def test_corrected_files_have_names_of_their_own(network, source, tmp_path):
    files = []

    def judge(path):
        files.append(path)
        return 1.0 if len(files) < 4 else 0.0

    wanted = bench(network, source, tmp_path, judge, ("kl",), (False, True), twice=True)
    found = next(attempts(wanted))
    assert found.means == (EQUALIZED, CORRECTED)
    contents = [path.read_bytes() for path in files[:4]]
    assert contents[0] == contents[2] != contents[1] == contents[3]


@pytest.mark.parametrize("enough", [1, 2, 3])
def test_then_as_few_wide_operators_as_suffice(network, source, tmp_path, enough):
    found = attempts(
        bench(network, source, tmp_path, lambda path: 0.0 if wide(path) >= enough else 1.0, ("kl",))
    )
    ranges, operators = next(found).means
    assert ranges == "ranges by kl"
    assert operators.startswith(f"{WIDE} {enough} operator")


def test_where_nothing_suffices_the_best_is_judged(network, source, tmp_path):
    losses = iter([9.0, 8.0, 7.0, 8.5, 9.0])
    found = list(attempts(bench(network, source, tmp_path, lambda path: next(losses, 10.0))))
    assert len(found) == 1
    assert found[0].drop == 7.0


def test_what_the_network_itself_lacks_is_told(monkeypatch, tmp_path):
    """Where training with rounding does not help either, its own shortfall is no one's matter."""
    errors = iter([VerificationError("of the network"), VerificationError("of the taught one")])

    def refused(*given):
        raise next(errors)

    monkeypatch.setattr(pipeline, "_convert", refused)
    monkeypatch.setattr(pipeline, "_source", lambda *given: None)
    kind = variant("int8")
    origin = SimpleNamespace(data=SimpleNamespace(reducer=None))
    request = Request((kind,), max_drop=0.5)
    with pytest.raises(VerificationError, match="of the network"):
        pipeline._passing(origin, {"int8": None}, kind, request, tmp_path, Silent())
    assert not list(errors)


def test_a_network_that_no_recipe_makes_integer_is_refused(tmp_path):
    inputs = keras.Input(batch_shape=(1, 4), name="patch")
    model = keras.Model(inputs, layers.Dense(2)(layers.ELU()(layers.Dense(4)(inputs))))
    path = tmp_path / "float32.tflite"
    patches = RNG.normal(size=(8, 4)).astype(np.float32)
    VARIANTS["float32"].convert(model, Calibration(patches), path)
    (tmp_path / "tries").mkdir()
    wanted = Bench(
        tmp_path / "tries",
        (),
        [Form((), path, None)],
        patches,
        ("mse",),
        (False,),
        lambda path: 0.0,
        0.5,
        Silent(),
    )
    with pytest.raises(VerificationError, match="leave --calibration out"):
        list(attempts(wanted))


def test_a_wide_operator_errs_less(source, tmp_path):
    seen = observe(source, PATCHES)
    known = [operator.output for operator in mixed.operators(source)]
    expected = mixed.logits(source, PATCHES)
    errors = []
    for outputs in ((), tuple(known)):
        mixed.write(source, seen, Recipe(wide=outputs), tmp_path / "file.tflite")
        found = mixed.logits(tmp_path / "file.tflite", PATCHES)
        errors.append(float(np.square(found - expected).sum()))
    assert errors[1] < errors[0]


def test_operators_are_called_by_their_layers(source):
    names = [operator.name for operator in mixed.operators(source)]
    assert [name for name in ("first", "second", "third") if any(name in n for n in names)] == [
        "first",
        "second",
        "third",
    ]


def test_one_operator_alone_leaves_the_rest_in_floats(source, tmp_path):
    from hsitf.contents import tflite

    seen = observe(source, PATCHES)
    only = (mixed.operators(source)[0].output,)
    mixed.write(source, seen, Recipe(only=only), tmp_path / "file.tflite")
    kinds = {operator.dtype for operator in tflite(tmp_path / "file.tflite").arithmetic}
    assert kinds == {"int8", "float32"}


def test_a_recipe_of_an_absent_operator_is_refused(source, tmp_path):
    with pytest.raises(InputError, match="operator"):
        mixed.write(source, {}, Recipe(only=("nowhere",)), tmp_path / "file.tflite")
    assert not list(tmp_path.iterdir())
