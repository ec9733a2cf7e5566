"""Means against loss of accuracy in integer files: which are tried, and in what order."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers

from hsitf.errors import InputError, VerificationError
from hsitf.export import conversion
from hsitf.export.calibration import Calibration
from hsitf.export.job import Job
from hsitf.export.recovery import CORRECTED, EQUALIZED, FloatModel, RecoveryContext, candidates
from hsitf.export.request import ExportRequest
from hsitf.export.variants import VARIANTS, variant
from hsitf.progress import Silent
from hsitf.quantize import mixed_precision
from hsitf.quantize.mixed_precision import MixedPrecisionRecipe
from hsitf.quantize.range_estimation import ESTIMATORS
from hsitf.quantize.tensor_statistics import collect_statistics

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
    path = tmp_path_factory.mktemp("recovery") / "float32.tflite"
    VARIANTS["float32"].convert(network, Calibration(PATCHES), path)
    return path


def context(
    network,
    source,
    folder,
    accuracy_drop,
    estimators=tuple(ESTIMATORS),
    corrections=(False,),
    twice=False,
):
    def convert(path):
        VARIANTS["int8"].convert(network, Calibration(PATCHES), path)
        return ()

    models = [FloatModel((), source, convert), *[FloatModel((EQUALIZED,), source, convert)] * twice]
    return RecoveryContext(
        folder, models, PATCHES, estimators, corrections, accuracy_drop, 0.5, Silent()
    )


def kind(path):
    """How a file was made: by which ranges, with how many operators of 16 bits."""
    return path.stem.rsplit("-", 1)[0]


def wide(path):
    """Operators that a recipe's file was made with of 16 bits."""
    return 0 if kind(path).startswith("plain") else int(kind(path).rsplit("-", 1)[1])


def test_the_converter_is_enough_where_it_is(network, source, tmp_path):
    found = candidates(context(network, source, tmp_path, lambda path: 0.2))
    first = next(found)
    assert first.techniques == ()
    assert first.drop == 0.2


def test_the_best_ranges_come_next(network, source, tmp_path):
    losses = {"plain0": 3, "min-max-0": 2, "percentile-0": 0.4, "mse-0": 0.1, "kl-0": 5}
    found = candidates(context(network, source, tmp_path, lambda path: losses[kind(path)]))
    assert next(found).techniques == ("ranges by mse",)


def test_what_costs_nothing_comes_before_other_ranges(network, source, tmp_path):
    """The converter's files first, which need no extra: corrected, equalized, both."""
    losses = iter([9.0, 8.0, 7.0, 6.0, *[0.0] * 99])
    wanted = context(
        network, source, tmp_path, lambda path: next(losses), ("kl",), (False, True), twice=True
    )
    tried = []
    wanted.progress.say = tried.append
    assert next(candidates(wanted)).techniques == ("ranges by kl",)
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

    wanted = context(network, source, tmp_path, judge, ("kl",), (False, True), twice=True)
    found = next(candidates(wanted))
    assert found.techniques == (EQUALIZED, CORRECTED)
    contents = [path.read_bytes() for path in files[:4]]
    assert contents[0] == contents[2] != contents[1] == contents[3]


@pytest.mark.parametrize("enough", [1, 2, 3])
def test_then_the_fewest_16_bit_operators_that_suffice(network, source, tmp_path, enough):
    found = candidates(
        context(
            network, source, tmp_path, lambda path: 0.0 if wide(path) >= enough else 1.0, ("kl",)
        )
    )
    ranges, operators = next(found).techniques
    assert ranges == "ranges by kl"
    assert operators.startswith(f"{WIDE} {enough} operator")


def test_where_nothing_suffices_the_best_is_evaluated(network, source, tmp_path):
    losses = iter([9.0, 8.0, 7.0, 8.5, 9.0])
    found = list(candidates(context(network, source, tmp_path, lambda path: next(losses, 10.0))))
    assert len(found) == 1
    assert found[0].drop == 7.0


def test_the_first_shortfall_is_reported(monkeypatch, tmp_path):
    """Where quantization-aware training does not help either, the first message is reported."""
    errors = iter([VerificationError("of the network"), VerificationError("of the trained one")])

    def refused(*given):
        raise next(errors)

    monkeypatch.setattr(conversion, "convert", refused)
    monkeypatch.setattr(conversion, "prepare_model", lambda *given: None)
    kind = variant("int8")
    record = SimpleNamespace(
        plan=SimpleNamespace(network="hu"), scene=SimpleNamespace(name="s"), adopted=None, tile=0
    )
    run = SimpleNamespace(record=record, label="hu")
    job = Job.of(ExportRequest((kind,), max_drop=0.5), kind, run, None)
    with pytest.raises(VerificationError, match="of the network"):
        conversion.convert_or_train(job, None, None, tmp_path, Silent())
    assert not list(errors)


def test_it_is_said_why_a_candidate_within_the_bound_is_not_taken(network, monkeypatch, tmp_path):
    """Validation pixels propose; the test pixels of the first file agree too rarely."""
    refusal = VerificationError("no", received="agreement 94.20%", allowed="95.00% or more")
    outcomes = iter([refusal, "verified"])

    def verify_file(*given):
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(conversion, "verify_file", verify_file)
    monkeypatch.setattr(conversion, "_write_candidates", lambda *given: iter([(), (EQUALIZED,)]))
    monkeypatch.setattr(conversion, "repack", lambda *given: None)
    model = SimpleNamespace(
        lowered_for=lambda job: SimpleNamespace(model=network), calibration=PATCHES
    )
    job = SimpleNamespace(variant=variant("int8"), file_name="hu.tflite", max_drop=0.5)
    said = []
    progress = SimpleNamespace(start=lambda *given: None, say=said.append)
    assert conversion.convert(job, model, tmp_path, progress) == "verified"
    assert said == [
        "int8 with the converter's own ranges is not taken, by its test pixels: agreement 94.20%; "
        "allowed: 95.00% or more"
    ]


def test_a_gain_is_no_loss(network, source, tmp_path):
    wanted = context(network, source, tmp_path, lambda path: -0.15)
    said = []
    wanted.progress.say = said.append
    next(candidates(wanted))
    assert said == ["int8 with the converter's own ranges: 0.15 points gained in validation"]


def test_a_network_that_no_recipe_quantizes_is_rejected(tmp_path):
    inputs = keras.Input(batch_shape=(1, 4), name="patch")
    model = keras.Model(inputs, layers.Dense(2)(layers.ELU()(layers.Dense(4)(inputs))))
    path = tmp_path / "float32.tflite"
    patches = RNG.normal(size=(8, 4)).astype(np.float32)
    VARIANTS["float32"].convert(model, Calibration(patches), path)
    (tmp_path / "tries").mkdir()
    wanted = RecoveryContext(
        tmp_path / "tries",
        [FloatModel((), path, None)],
        patches,
        ("mse",),
        (False,),
        lambda path: 0.0,
        0.5,
        Silent(),
    )
    with pytest.raises(VerificationError, match="leave --calibration out"):
        list(candidates(wanted))


def test_a_16_bit_operator_has_a_smaller_error(source, tmp_path):
    seen = collect_statistics(source, PATCHES)
    known = [operator.output for operator in mixed_precision.quantizable_operators(source)]
    expected = mixed_precision.file_logits(source, PATCHES)
    errors = []
    for outputs in ((), tuple(known)):
        mixed_precision.quantize_file(
            source, seen, MixedPrecisionRecipe(int16_outputs=outputs), tmp_path / "file.tflite"
        )
        found = mixed_precision.file_logits(tmp_path / "file.tflite", PATCHES)
        errors.append(float(np.square(found - expected).sum()))
    assert errors[1] < errors[0]


def test_operators_are_called_by_their_layers(source):
    names = [operator.name for operator in mixed_precision.quantizable_operators(source)]
    assert [name for name in ("first", "second", "third") if any(name in n for n in names)] == [
        "first",
        "second",
        "third",
    ]


def test_one_operator_alone_leaves_the_rest_in_floats(source, tmp_path):
    from hsitf.inspection import tflite

    seen = collect_statistics(source, PATCHES)
    only = (mixed_precision.quantizable_operators(source)[0].output,)
    mixed_precision.quantize_file(
        source, seen, MixedPrecisionRecipe(quantized_outputs=only), tmp_path / "file.tflite"
    )
    kinds = {operator.dtype for operator in tflite(tmp_path / "file.tflite").arithmetic}
    assert kinds == {"int8", "float32"}


def test_a_recipe_with_an_unknown_operator_is_rejected(source, tmp_path):
    with pytest.raises(InputError, match="operator"):
        mixed_precision.quantize_file(
            source,
            {},
            MixedPrecisionRecipe(quantized_outputs=("nowhere",)),
            tmp_path / "file.tflite",
        )
    assert not list(tmp_path.iterdir())
