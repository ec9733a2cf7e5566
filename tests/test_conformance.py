"""What every network has to do: learn, and become files that are what they say.

Geometry, parameters, saving and lowering have tests of their own (test_zoo.py, test_lower.py).
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from networks import GEOMETRY, randomized

from hsitf import runtimes, zoo
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.log_silencing import suppressed_output
from hsitf.lower import lower
from hsitf.runtimes import predict

RNG = np.random.default_rng(0)
HEAVY = {
    "a2s2k",
    "chen",
    "dbda",
    "fdssc",
    "gaht",
    "luo",
    "nn",
    "resnet110",
    "resnet20",
    "resnet50",
    "resnet56",
    "sharma",
    "spectralformer",
    "ssrn",
    "vgg16",
}
NETWORKS = [
    pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in zoo.names()
]
# Rates at which a handful of patches is learned by heart; Adam at a thousandth elsewhere.
RATES = {"nn": 1e-4, "boulch": 1e-2, "mou": 1e-2, "resnet110": 1e-2}


def built(name: str) -> keras.Model:
    bands, patch = GEOMETRY.get(name, (62, None))
    keras.utils.set_random_seed(0)
    return zoo.build(name, bands=bands, classes=4, patch=patch)


def lesson(model: keras.Model, count: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Patches of four classes that differ in brightness."""
    classes = np.arange(count) % 4
    patches = RNG.normal(size=(count, *model.input_shape[1:])) * 0.3
    patches = (patches + (classes - 1.5)[:, None, None, None]).astype(np.float32)
    # All pixels of a tile are of one class.
    pixels = model.output_shape[1:-1]
    return patches, np.broadcast_to(classes.reshape(-1, *[1] * len(pixels)), (count, *pixels))


@pytest.mark.parametrize("name", NETWORKS)
def test_learns(name):
    model = built(name)
    patches, classes = lesson(model)
    model.compile(
        keras.optimizers.Adam(RATES.get(name, 1e-3)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    fitted = model.fit(patches, classes, 16, 40, shuffle=False, verbose=0)
    losses = fitted.history["loss"]
    assert np.isfinite(losses).all()
    assert min(losses) < 0.5 * losses[0]
    assert all(np.isfinite(np.asarray(weight)).all() for weight in model.weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_files_are_what_they_say(name, tmp_path):
    model = randomized(built(name))
    patches, _ = lesson(model, 24)
    expected = np.asarray(model.predict(patches, verbose=0))
    for kind in ("float32", "float16", "int8", "onnx"):
        variant = VARIANTS[kind]
        file = tmp_path / f"{name}-{kind}{variant.suffix}"
        with suppressed_output():
            variant.convert(lower(model, arithmetic=variant.arithmetic), Calibration(patches), file)
        made_of = variant.inspect(file)
        assert not {operator.op for operator in made_of.operators} & {"CONV_3D", "Conv3D"}
        runtime = variant.runtime(file, 1)
        assert isinstance(runtime, runtimes.LiteRT | runtimes.OnnxRuntime)
        received = predict(runtime, patches)
        error = np.abs(received - expected).max() / np.abs(expected).max()
        if kind == "int8":
            assert not made_of.floating
            assert made_of.max_rank <= 4
            assert error < 0.35
        else:
            assert error < {"float16": 2e-2}.get(kind, 1e-3)
