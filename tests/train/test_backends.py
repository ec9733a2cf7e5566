"""The same training on every backend that is installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from hsitf.errors import InputError
from hsitf.runs import Run
from hsitf.train import devices

BACKENDS = ["tensorflow", "jax", "torch"]


@pytest.fixture(params=BACKENDS)
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed: {devices.BACKENDS[request.param]}")
    return request.param


def test_a_step_with_everything_on_it(shell, backend):
    """A 3-D network: gather, sides, light, mixture, class weights, decay; then a file of it."""
    done = shell(
        "train",
        "--model",
        "he",
        *shell.SCENE,
        "--patch",
        "5",
        "--epochs",
        "3",
        "--batch-size",
        "40",
        "--brightness-noise",
        "--intra-class-mixup",
        "--class-weights",
        "--backend",
        backend,
        "--run",
        backend,
    )
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / "models/tiny/he" / backend)
    assert run.record.backend == backend
    losses = [epoch.loss for epoch in run.record.history]
    assert losses[-1] < losses[0]
    # A network is a file like any other, whoever trained it.
    assert np.isfinite(run.network().predict(np.zeros((2, 5, 5, 24)), verbose=0)).all()


def test_a_decoder_learns_on_every_backend(shell, backend):
    done = shell(
        "train",
        "--model",
        "liu",
        *shell.SCENE,
        "--epochs",
        "2",
        "--backend",
        backend,
        "--run",
        backend,
    )
    assert done.returncode == 0, done.stderr


def test_several_devices_share_a_batch(tmp_path):
    """Data parallel on two devices that XLA makes of one processor."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip(devices.BACKENDS["jax"])
    program = """
import keras, numpy as np
from hsitf.train.devices import choose, devices
assert len(devices("cpu")) == 2, devices("cpu")
choose("auto")
assert isinstance(keras.distribution.distribution(), keras.distribution.DataParallel)
from hsitf import data
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.records import SceneChoice
from hsitf.scenes.synthetic import synthesize
from hsitf.train.loop import fit
from pathlib import Path
scene = synthesize("tiny", 40, 40, 24, 4, seed=0)
plan = training_plan("hu", SceneChoice("tiny"), SplitChoice(), "full",
                     RecipeOptions(epochs=2, batch_size=20))
found = fit(plan, data.prepare(scene, plan.split), Path("state.npz"), Silent())
assert len(found.history) == 2 and np.isfinite(found.history[-1].loss)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KERAS_BACKEND": "jax",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr


def test_a_backend_that_is_not_there_names_what_to_install(monkeypatch):
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed.*pip install jax"):
        devices.use_backend("jax")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes."),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory."),
        type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"),
    ],
)
def test_memory_errors_are_known(error):
    assert devices.is_out_of_memory(error)
    assert not devices.is_out_of_memory(ValueError("shapes differ"))


@pytest.mark.parametrize("name", BACKENDS)
def test_a_processor_is_chosen_before_anything_is_imported(monkeypatch, name):
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda _: object())
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    for variable in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "JAX_PLATFORMS"):
        monkeypatch.setenv(variable, "")
    monkeypatch.setenv("KERAS_BACKEND", "")
    devices.use_backend(name, "cpu")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
    assert os.environ["JAX_PLATFORMS"] == "cpu"
    assert os.environ["KERAS_BACKEND"] == name
