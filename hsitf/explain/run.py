"""From a trained run to an explanation: record, arrays and figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.data import Data
from hsitf.errors import InputError, unknown
from hsitf.explain.figure import draw
from hsitf.explain.methods import Question, method
from hsitf.explain.request import Request
from hsitf.files import replacing
from hsitf.lower.fused import fused
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.runtimes import Floats
from hsitf.scenes.normalize import Normalizer

FIGURES = (".png", ".svg")


@dataclass(frozen=True)
class Explanation:
    """What a network looks at.

    Attributes:
        network: Name in the zoo.
        scene: Name of the scene; `synthetic` where it was generated.
        run: Folder of the trained network; `run_sha256` digest of its file.
        method: That explains.
        subject: What is explained, in words.
        pixels: How many pixels, of the test set but for a single one.
        classes: Names of their classes: as the network calls a single pixel, else the truth.
        importance: Of each band, adding up to 1: mean magnitude over pixels and patches.
        top: Numbers of the most important bands, the first most.
        wavelengths: Of the bands in nanometers; empty where unknown.
        completeness: By how much the attributions of a pixel miss the difference of its logit to
            the baseline's, over the largest such difference; None but for integrated gradients.
        versions: Of Python and the packages that matter.
        command: As typed.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    run: str
    run_sha256: str
    method: str
    subject: str
    pixels: int
    classes: tuple[str, ...]
    importance: tuple[float, ...]
    top: tuple[int, ...]
    wavelengths: tuple[float, ...]
    completeness: float | None
    versions: dict[str, str]
    command: str

    @property
    def bands(self) -> str:
        """The most important bands, as `--bands` takes them."""
        return f"select:{','.join(map(str, sorted(self.top)))}"


def explain(
    run: Run, request: Request, progress: Progress, choice: SceneChoice | None = None
) -> tuple[Explanation, Path]:
    """Explains a trained network, and writes record, arrays and figures beside its run.

    Bands are those of the sensor also where the network takes components of them.

    Args:
        run: The trained network.
        request: What to explain and how.
        progress: Told what happens.
        choice: Where the scene is now, if not where the run found it.

    Returns:
        The explanation, and its record.

    Raises:
        InputError: No such method, class or band, a pixel outside the scene, or a reduction
            of bands that has no gradients.
    """
    how = method(request.method)
    data = run.data(choice)
    bands = data.scene.bands
    if bad := [band for band in request.shown if band >= bands]:
        raise InputError("the scene has no such band", received=bad[0], allowed=f"0 to {bands - 1}")
    network = run.network()
    if data.reducer is not None:
        # The components' way back to the bands is a layer like any other.
        network = fused(network, Normalizer((0.0,) * bands, (1.0,) * bands), data.reducer)
    pixels, subject = _subject(data, request)
    raw = (data if data.is_raw else data.raw()).patches.cut(pixels)
    patches = data.normalizer.apply(raw)
    named = network.predict(patches, verbose=0).argmax(axis=1)
    targets = named if request.pixel else data.targets(pixels).astype(np.int64)
    progress.start(f"explaining {subject} by {request.method}", 1)
    question = Question(network, patches, np.asarray(targets, np.int64), run.record.plan.seed)
    found = how(question)
    progress.advance()
    magnitude = np.abs(found).mean(axis=(0, 1, 2), dtype=np.float64)
    importance = magnitude / max(float(magnitude.sum()), np.finfo(np.float64).tiny)
    order = np.argsort(-importance, kind="stable")[: request.top]
    record = run.record
    wavelengths = data.scene.wavelengths
    made = Explanation(
        records.SCHEMA, record.plan.network, data.scene.name, data.scene.synthetic,
        str(run.folder), record.sha256, request.method, subject, len(pixels),
        tuple(data.scene.class_names[k] for k in sorted(set(question.targets.tolist()))),
        tuple(importance.tolist()), tuple(order.tolist()),
        () if wavelengths is None else tuple(wavelengths.tolist()),
        _completeness(question, found) if request.method == "integrated-gradients" else None,
        records.versions(), records.command(),
    )  # fmt: skip
    place = run.folder.with_name(f"{run.folder.name}-explained") / _stem(request)
    _write(made, found, patches, pixels, request, place)
    return made, place.with_suffix(".json")


def _subject(data: Data, request: Request) -> tuple[NDArray[np.int64], str]:
    """The pixels, flat, and what they are in words."""
    rows, cols, _ = data.scene.cube.shape
    if request.pixel is not None:
        row, col = request.pixel
        if row >= rows or col >= cols:
            raise InputError(
                "the pixel lies outside the scene", received=f"{row},{col}",
                allowed=f"rows 0 to {rows - 1}, columns 0 to {cols - 1}",
            )  # fmt: skip
        return np.array([row * cols + col]), f"pixel {row},{col}"
    names, test = data.scene.class_names, data.split.test
    if request.of_class is None:
        return _evenly(test, request.most), "all classes"
    if request.of_class not in names:
        raise unknown("class", request.of_class, names)
    members = test[data.targets(test) == names.index(request.of_class)]
    if not len(members):
        raise InputError(
            "the class has no test pixels", received=request.of_class,
            remedy="name another class, or a pixel",
        )  # fmt: skip
    return _evenly(members, request.most), f"class {request.of_class}"


def _evenly(pixels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    places = np.linspace(0, len(pixels) - 1, min(most, len(pixels))).astype(np.int64)
    return pixels[places]


def _completeness(question: Question, found: Floats) -> float:
    expected = question.logits(question.patches) - question.logits(0 * question.patches)
    missed = np.abs(found.sum(axis=(1, 2, 3)) - expected)
    return float(missed.max() / max(float(np.abs(expected).max()), 1e-12))


def _stem(request: Request) -> str:
    if request.pixel is not None:
        return f"{request.method}-pixel{request.pixel[0]}-{request.pixel[1]}"
    name = "all" if request.of_class is None else request.of_class
    safe = "".join(letter if letter.isalnum() else "-" for letter in name)
    return f"{request.method}-{safe}"


def _write(
    made: Explanation, found: Floats, patches: Floats, pixels: NDArray[np.int64],
    request: Request, place: Path,
) -> None:  # fmt: skip
    with replacing(place.with_suffix(".npz")) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream, attributions=found, pixels=pixels, importance=np.array(made.importance)
        )
    for suffix in FIGURES:
        draw(
            made.importance, np.abs(found).mean(axis=0), patches.mean(axis=(0, 1, 2)),
            made.wavelengths, request.shown, _title(made), place.with_suffix(suffix),
        )  # fmt: skip
    records.write(made, place.with_suffix(".json"))


def _title(made: Explanation) -> str:
    kind = ", a synthetic scene" if made.synthetic else ""
    count = "1 pixel" if made.pixels == 1 else f"{made.pixels} test pixels"
    return f"{made.network} on {made.scene}{kind}: {made.method} of {made.subject}, {count}"


def told(made: Explanation, place: Path) -> str:
    """An explanation in words."""
    unit = [f" ({made.wavelengths[band]:.0f} nm)" if made.wavelengths else "" for band in made.top]
    lines = [
        _title(made),
        "Most important bands: "
        + ", ".join(
            f"{band}{nm} {made.importance[band]:.1%}"
            for band, nm in zip(made.top, unit, strict=True)
        ),
        f"As a reduction of bands: --bands {made.bands}",
    ]
    if made.completeness is not None:
        lines.append(f"Attributions miss the difference of logits by {made.completeness:.2%}.")
    files = [place, *(place.with_suffix(suffix) for suffix in (".npz", *FIGURES))]
    return "\n".join([*lines, *(f"Wrote {path}." for path in files)])
