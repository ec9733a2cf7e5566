"""What the tests share: a tiny scene, and the command line as a user types it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from forked_commands import CommandForker

from hsitf.scenes.scene import Scene
from hsitf.scenes.synthetic import synthesize

# Set before any test imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def tiny() -> Scene:
    """40 x 40 pixels, 24 bands, 4 classes; every class in several fields."""
    return synthesize("tiny", 40, 40, 24, 4, seed=0)


@pytest.fixture(scope="session", autouse=True)
def own_configuration(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys that tests make are not those of whoever runs them."""
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("configuration"))


@pytest.fixture(scope="session")
def forker() -> Iterator[CommandForker]:
    found = CommandForker()
    yield found
    found.close()


@dataclass(frozen=True)
class Shell:
    """A folder to type hsitf commands in, with the tiny scene as two files."""

    folder: Path
    forker: CommandForker

    SCENE = ("--scene", "tiny.npy", "--labels", "labels.npy")

    def __call__(self, verb: str, *words: str, timeout: float = 240) -> subprocess.CompletedProcess:
        """Runs `python -m hsitf.VERB WORDS` there."""
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        return self.forker.run(verb, words, self.folder, env, timeout)


@pytest.fixture(scope="module")
def shell(tiny: Scene, tmp_path_factory: pytest.TempPathFactory, forker: CommandForker) -> Shell:
    folder = tmp_path_factory.mktemp("user")
    np.save(folder / "tiny.npy", tiny.cube)
    np.save(folder / "labels.npy", tiny.labels)
    return Shell(folder, forker)


@pytest.fixture(scope="session")
def samson_dir() -> Path:
    if not (SHARED_DATA / "samson_dataset.mat").is_file():
        pytest.skip("the Samson scene is not at hand (../shared/data/samson_dataset.mat)")
    return SHARED_DATA


@pytest.fixture(autouse=True, scope="module")
def own_networks() -> Iterator[None]:
    """Networks that a module registers are not those of the next one in the same process."""
    from hsitf.zoo import _REGISTERED

    before = dict(_REGISTERED)
    yield
    _REGISTERED.clear()
    _REGISTERED.update(before)
