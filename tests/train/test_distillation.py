"""How a teacher's probabilities enter the loss, and which pixels it teaches on."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from hsitf import data
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.records import SceneChoice, TrainingPlan
from hsitf.train.distillation import DistillationLoss
from hsitf.train.epoch_inputs import draw_inputs
from hsitf.train.guidance import Guidance
from hsitf.train.pseudo_labels import softmax
from hsitf.train.run import train
from hsitf.train.teachers import Distillation
from hsitf.train.unseen import taught_pixels


class Saying(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class OneOutput:
    outputs = (None,)


def plan(split: SplitChoice | None = None, epochs: int = 4) -> TrainingPlan:
    return training_plan(
        "hu",
        SceneChoice("tiny.npy", labels="labels.npy"),
        split or SplitChoice(),
        "full",
        RecipeOptions(epochs=epochs, batch_size=50),
    )


@pytest.fixture(scope="module")
def teacher(tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("user"))
        np.save("tiny.npy", tiny.cube)
        np.save("labels.npy", tiny.labels)
        yield train(plan(epochs=6), "teacher", Silent())


def test_the_loss_by_hand():
    logits = np.log(np.array([[4.0, 1.0], [1.0, 1.0]], np.float32))
    # A labelled pixel of the first class with a share of 0.25 for the teacher, and an unlabelled
    # one, of which the teacher is sure by three quarters.
    targets = np.array([[0.75, 0, 0.2, 0.05], [0, 0, 0.75, 0.25]], np.float32)
    found = keras.ops.convert_to_numpy(DistillationLoss(2.0).call(targets, logits))
    # softmax(z) = 4/5, 1/5; softmax(z / 2) = 2/3, 1/3; four times the second term.
    first = -0.75 * np.log(0.8) - 4 * (0.2 * np.log(2 / 3) + 0.05 * np.log(1 / 3))
    np.testing.assert_allclose(found, [first, 4 * np.log(2)], rtol=1e-5)
    smoothed = keras.ops.convert_to_numpy(DistillationLoss(2.0, 0.2).call(targets, logits))
    change = -0.75 * 0.1 * (np.log(0.2) - np.log(0.8))
    np.testing.assert_allclose(smoothed, [first + change, 4 * np.log(2)], rtol=1e-5)


def test_at_temperature_one_it_is_the_cross_entropy_of_the_mixture():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6, 3)).astype(np.float32)
    labels = 0.3 * np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    taught = 0.7 * softmax(generator.normal(size=(6, 3)).astype(np.float32))
    mixed = keras.losses.CategoricalCrossentropy(from_logits=True)(labels + taught, logits)
    found = DistillationLoss(1.0)(np.concatenate([labels, taught], axis=1), logits)
    np.testing.assert_allclose(found, mixed, rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 20.0])
def test_the_shares_weight_both_terms_alike_at_every_temperature(temperature):
    # Hinton et al.: for small logits the gradient is (z - t) / classes whatever the temperature.
    logits = np.array([0.02, -0.01, -0.01])
    taught = np.array([-0.01, 0.03, -0.02])
    target = softmax((taught / temperature)[None].astype(np.float32))[0].astype(np.float64)

    def loss(values):
        scaled = values / temperature
        return -(temperature**2) * (target * (scaled - np.log(np.exp(scaled).sum()))).sum()

    step = 1e-4
    slopes = [
        (loss(logits + step * unit) - loss(logits - step * unit)) / (2 * step) for unit in np.eye(3)
    ]
    found = DistillationLoss(temperature).call(
        np.concatenate([np.zeros(3), target])[None], logits[None].astype(np.float32)
    )
    assert float(found[0]) == pytest.approx(loss(logits), rel=1e-5)
    np.testing.assert_allclose(slopes, (logits - taught) / 3, rtol=0.05, atol=5e-4)


def test_a_teacher_names_all_eligible_pixels_at_its_temperature(teacher):
    ready, asked = teacher.data(), plan()
    guidance = Guidance.distilled(teacher, asked, ready, Distillation(3.0, 0.25), Silent())
    np.testing.assert_array_equal(guidance.candidates, taught_pixels(ready))
    for named in (guidance.taught, guidance.taught_extra):
        logits = teacher.network().predict(ready.patches.extract(named.pixels), verbose=0)
        np.testing.assert_allclose(named.targets, softmax(logits / 3), atol=1e-5)
    np.testing.assert_array_equal(guidance.taught.pixels, np.sort(ready.split.train))
    epochs = [guidance.extra((None, None), asked, ready, epoch).pixels for epoch in range(4)]
    count = min(len(ready.split.train), len(guidance.candidates))
    assert {len(pixels) for pixels in epochs} == {count}
    assert not np.array_equal(epochs[0], epochs[1])
    np.testing.assert_array_equal(np.unique(np.concatenate(epochs)), guidance.taught_extra.pixels)
    # Every epoch has the unlabelled pixels, the first one too.
    lengths = guidance.lengths(asked, ready, len(ready.split.train))
    steps = -(-(len(ready.split.train) + count) // 50)
    assert lengths.steps(3) == 3 * steps
    assert float(lengths.epochs(2.5 * steps)) == pytest.approx(2.5)


def test_targets_have_two_parts_by_hand(teacher):
    ready, asked = teacher.data(), plan()
    guidance = Guidance.distilled(teacher, asked, ready, Distillation(2.0, 0.25), Silent())
    extra = guidance.extra((None, None), asked, ready, 1)
    views, targets, weights = draw_inputs(OneOutput(), asked, ready, 1, guidance, extra)
    pixels = views[:, 0]
    unlabelled = np.isin(pixels, extra.pixels)
    assert sorted(pixels) == sorted([*ready.split.train, *extra.pixels])
    np.testing.assert_array_equal(weights, np.ones(len(pixels)))
    np.testing.assert_array_equal(targets[unlabelled, :4], 0)
    np.testing.assert_array_equal(targets[unlabelled, 4:], extra.of(pixels[unlabelled]))
    labelled = pixels[~unlabelled]
    expected = np.eye(4)[ready.targets(labelled)]
    np.testing.assert_allclose(targets[~unlabelled, :4], 0.75 * expected)
    np.testing.assert_allclose(targets[~unlabelled, 4:], guidance.taught.of(labelled) / 4)


def test_without_eligible_pixels_it_teaches_on_labelled_ones(teacher, tiny):
    asked = plan(SplitChoice("random", patch=11))
    ready = data.prepare(tiny, asked.split)
    progress = Saying()
    guidance = Guidance.distilled(
        teacher, replace(asked, network="hu"), ready, Distillation(), progress
    )
    assert progress.said[0] == (
        "no unlabelled pixel is far enough from validation and test pixels: the teacher teaches on "
        "training pixels alone"
    )
    assert guidance.extra((None, None), asked, ready, 0) is None
    none = Distillation(unlabelled_weight=0.0)
    assert not len(Guidance.distilled(teacher, asked, ready, none, progress).candidates)
    assert sum("no unlabelled pixel" in line for line in progress.said) == 1
    views, targets, weights = draw_inputs(OneOutput(), asked, ready, 0, guidance)
    assert len(views) == len(ready.split.train)
    assert targets.shape[1] == 8
    assert weights is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            (0.5, 0.5),
            "temperature of distillation is out of range; received: 0.5; allowed: 1 to 20",
        ),
        ((21.0, 0.5), "temperature of distillation is out of range"),
        ((2.0, 1.5), "teacher weight of distillation is out of range"),
        ((2.0, 0.5, -1.0), "unlabelled weight of distillation is out of range"),
        ((2.0, float("nan")), "teacher weight of distillation is out of range"),
    ],
)
def test_values_out_of_range_are_refused(values, words):
    with pytest.raises(InputError, match=words):
        Distillation(*values)
