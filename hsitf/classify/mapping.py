"""The probabilities of every pixel, strip by strip, resumable."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hsitf.classify.source import Classifier, probabilities
from hsitf.files import explained, needing, replacing
from hsitf.progress import Progress
from hsitf.runtimes import Floats, scan, tile
from hsitf.scenes.patches import PatchSource

# Pixels between two looks at the clock: a few seconds of the slowest network.
STRIP = 2048
VALUES, STATE = "probabilities.npy", "state.json"


@dataclass(frozen=True)
class _State:
    """How far a map is, and of what it is."""

    sha256: str
    scene: str
    engine: str
    shape: tuple[int, int, int]
    done: int


def classify(
    classifier: Classifier, patches: PatchSource, folder: Path, progress: Progress
) -> tuple[Floats, float]:
    """Probabilities of all pixels of a scene.

    They are kept on disk while they are made: an interrupted map goes on from its last strip
    where network and scene are the same.

    Args:
        classifier: What classifies.
        patches: Of the scene.
        folder: To keep them in; made here, removed by `finish`.
        progress: Told of every strip, with pixels per second.

    Returns:
        (rows, cols, classes) float16 on disk, and the pixels per second of what was computed now
        (0 where nothing was left to do).

    Raises:
        OutputError: There is no room, or the folder cannot be written.
    """
    shape = (patches.rows, patches.cols, len(classifier.class_names))
    total = patches.rows * patches.cols
    seen = hashlib.sha256(np.ascontiguousarray(patches.padded).data).hexdigest()
    known = _State(classifier.sha256, seen, classifier.runtime.engine, shape, 0)
    done = _done(folder, known)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with needing(2 * total * shape[2] if not done else 0, folder):
            kept = np.lib.format.open_memmap(
                folder / VALUES, "r+" if done else "w+", np.float16, shape
            )
        flat = kept.reshape(total, shape[2])
        progress.start(f"classifying with {classifier.runtime.engine}", total)
        progress.advance(done)
        begin, first = time.monotonic(), done
        # A tile that a strip cuts would be computed twice.
        strip = tile(classifier.runtime) * patches.cols or STRIP
        while done < total:
            pixels = np.arange(done, min(done + strip, total))
            for places, logits in scan(classifier.runtime, patches, pixels):
                flat[pixels[places]] = probabilities(logits)
            done += len(pixels)
            kept.flush()
            _write(folder, replace(known, done=done))
            speed = (done - first) / max(time.monotonic() - begin, 1e-9)
            progress.advance(len(pixels), f"{speed:,.0f} pixels/s")
    rate = (done - first) / max(time.monotonic() - begin, 1e-9) if done > first else 0.0
    return kept, rate


def finish(folder: Path) -> None:
    """Removes what only an unfinished map needs."""
    shutil.rmtree(folder, ignore_errors=True)


def _done(folder: Path, known: _State) -> int:
    """Pixels that an earlier run of the same network and scene left there."""
    if not (folder / STATE).is_file() or not (folder / VALUES).is_file():
        return 0
    try:
        then = json.loads((folder / STATE).read_text())
        same = {**then, "shape": tuple(then["shape"]), "done": 0} == asdict(known)
        whole = np.load(folder / VALUES, mmap_mode="r").shape == known.shape
        return int(then["done"]) if same and whole else 0
    except (ValueError, KeyError, TypeError, OSError, EOFError):
        return 0


def _write(folder: Path, state: _State) -> None:
    with replacing(folder / STATE) as temporary:
        temporary.write_text(json.dumps(asdict(state)))
