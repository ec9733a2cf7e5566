"""From networks, files and a question to arrays, a record and figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.errors import DataError, InputError
from hsitf.explain import cutting, figure, importance, subject
from hsitf.explain.explanation import Explained, Explanation
from hsitf.explain.means import Means, means
from hsitf.explain.methods import check
from hsitf.explain.record import ExplanationRecord, SubjectRecord, VariantRecord
from hsitf.explain.request import MOST, MOST_OF_FILE, Ask
from hsitf.explain.similarity import Similarity, similarity
from hsitf.explain.sources import Source, expanded, opened, scene_of
from hsitf.explain.subject import Subject
from hsitf.files import replacing, sha256
from hsitf.progress import Progress
from hsitf.quiet import quietly
from hsitf.records import SceneChoice
from hsitf.scenes.scene import Scene

FIGURES = (".png", ".svg")


def explain(
    folders: Sequence[Path],
    choice: SceneChoice,
    ask: Ask,
    progress: Progress,
    model: str | None = None,
) -> tuple[Explanation, list[Path]]:
    """Explains networks and files, and writes arrays, figures and, last, the record.

    Args:
        folders: Of runs, bundles and curves; the first is what the others are held against.
        choice: The scene; the first one's own where its source is empty.
        ask: What to explain and how.
        progress: Told what happens.
        model: Name of the network that the first has to be of; None where any will do.

    Returns:
        The explanation and the files that were written.

    Raises:
        InputError: The question has no meaning for these networks.
        DataError: A run, a bundle or the scene is damaged or is another one's.
        OutputError: The files cannot be written.
    """
    places = expanded(list(folders))
    with quietly():
        scene = scene_of(places[0], choice)
        sources = [opened(place, scene) for place in places]
    if model is not None and sources[0].network != model:
        raise InputError(
            f"{places[0]} is of another network", received=model, allowed=sources[0].network
        )
    _check(ask, sources)
    subjects = _subjects(ask, scene, sources)
    explained = tuple(_explained(source, subjects, ask, progress) for source in sources)
    place = _place(ask, sources)
    arrays, record = place.with_suffix(".npz"), place.with_suffix(".json")
    with replacing(arrays) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **_arrays(scene, subjects, explained))
    written = _record(ask, scene, subjects, explained, sha256(arrays))
    done = Explanation(ask, scene, tuple(subjects), explained, written)
    drawn = [path for suffix in FIGURES for path in figure.draw(done, place, suffix)]
    records.write(written, record)
    return done, [record, arrays, *drawn]


def _check(ask: Ask, sources: Sequence[Source]) -> None:
    """Refuses, before any work, what cannot be had."""
    for source in sources:
        if source.own.network is None:
            check(ask.method, source.kind)
        elif ask.settings.weight:
            layer, name = cutting.split_weight(ask.settings.weight)
            cutting.weight(cutting.cut(source.own.network, layer), name)
    sides = sorted({source.own.patches.patch for source in sources})
    if len(sides) > 1:
        raise InputError(
            "networks of different patches cannot be laid side by side",
            received=f"sides of {', '.join(map(str, sides))} pixels",
            remedy="explain them one by one",
        )
    most = min(source.own.patches.bands for source in sources)
    if bad := [column for column in ask.columns if column >= most]:
        raise InputError(
            "a network takes no such bands or components",
            received=f"--show {','.join(map(str, bad[:5]))}",
            allowed=f"0 to {most - 1}",
        )


def _subjects(ask: Ask, scene: Scene, sources: Sequence[Source]) -> list[Subject]:
    first = sources[0]
    if ask.method.sees == "filters":
        return _filters(ask, scene, sources)
    if ask.pixel is not None:
        own = first.own
        logits = lambda pixels: own.answers(own.patches.cut(pixels))  # noqa: E731
        return [subject.of_pixel(scene, ask.pixel, ask.class_name, logits)]
    if first.run is None:
        raise DataError(
            f"the test pixels of {first.folder} are not known: its run is not at hand",
            received="a bundle without the run that it was made from",
            remedy="name a single pixel with --pixel ROW,COL, or give a run with --from before it",
        )
    some = MOST_OF_FILE if any(source.own.network is None for source in sources) else MOST
    return subject.of_classes(scene, first.run.split(), ask.class_name, ask.most or some)


def _filters(ask: Ask, scene: Scene, sources: Sequence[Source]) -> list[Subject]:
    """The filters that are asked for, as far as every network has them."""
    networks = [source.own.differentiable() for source in sources]
    end = cutting.last(networks[0])
    layer = ask.settings.layer or end
    count = min(cutting.cut(network, layer).filters for network in networks)
    return subject.of_filters(layer, count, ask.filters, scene.class_names if layer == end else ())


def _explained(
    source: Source, subjects: Sequence[Subject], ask: Ask, progress: Progress
) -> Explained:
    start = time.perf_counter()
    views = [source.own]
    if ask.method.sees == "pixels" and source.bands not in (None, source.own):
        views.append(source.bands)
    steps = len(views) * sum(max(1, len(one.pixels)) for one in subjects)
    progress.start(f"explaining {source.label}", steps)
    found = [
        [means(view, ask.method, ask.settings, one, progress) for one in subjects] for view in views
    ]
    known = ask.method.sees == "pixels" and source.bands is not None
    bands = np.stack([importance.of_bands(one.magnitude) for one in found[-1]]) if known else None
    return Explained(source, tuple(found[0]), bands, time.perf_counter() - start)


def _place(ask: Ask, sources: Sequence[Source]) -> Path:
    """Where record, arrays and figures lie, without suffix."""
    first = sources[0].folder
    folder = ask.folder or first.with_name(f"{first.name}-explained")
    several = f"-of{len(sources)}" if len(sources) > 1 and not ask.name else ""
    return folder / f"{ask.label}{several}"


def _arrays(
    scene: Scene, subjects: Sequence[Subject], explained: Sequence[Explained]
) -> dict[str, Any]:
    """What is stored: of the scene, and of each network by its number."""
    found: dict[str, Any] = {
        "subjects": np.array([one.name for one in subjects]),
        "variants": np.array([one.source.label for one in explained]),
    }
    if scene.wavelengths is not None:
        found["wavelengths"] = scene.wavelengths
    if all(len(one.pixels) for one in subjects):
        spectra = [importance.mean_reflectance(scene.cube, one.pixels) for one in subjects]
        found["reflectance"] = np.stack(spectra)
    for number, one in enumerate(explained):
        found |= {f"magnitude{number}": one.magnitude, f"signed{number}": one.signed}
        if one.bands is not None:
            found[f"bands{number}"] = one.bands
        for name in one.means[0].arrays:
            found[f"{name}{number}"] = np.stack([part.arrays[name] for part in one.means])
    return found


def _record(
    ask: Ask, scene: Scene, subjects: Sequence[Subject], explained: Sequence[Explained], digest: str
) -> ExplanationRecord:
    first = explained[0]
    chosen = _chosen(ask, first, len(subjects))
    whole = "" if first.bands is None else _named(ask, importance.shared(first.bands))
    run = first.source.run
    return ExplanationRecord(
        schema=records.SCHEMA,
        method=ask.method.name,
        settings=ask.settings,
        backend=keras.config.backend(),
        network=first.source.network,
        scene=scene.name,
        synthetic=scene.synthetic,
        split=run.record.split.kind if run else "",
        patch=first.source.own.patches.patch,
        bands=scene.bands,
        subjects=tuple(
            SubjectRecord(one.name, one.output, len(one.pixels), bands)
            for one, bands in zip(subjects, chosen, strict=True)
        ),
        variants=tuple(_variant(one, first) for one in explained),
        top=whole,
        sha256=digest,
        versions=records.versions(),
        command=records.command(),
    )


def _chosen(ask: Ask, first: Explained, count: int) -> list[str]:
    if first.bands is None:
        return [""] * count
    return [_named(ask, bands) for bands in first.bands]


def _named(ask: Ask, bands: NDArray[np.float32]) -> str:
    return importance.selection(importance.top(bands, ask.top, ask.apart))


def _variant(one: Explained, first: Explained) -> VariantRecord:
    source = one.source
    figures: dict[str, float] = {}
    for part in one.means:
        figures |= {name: max(n, figures.get(name, n)) for name, n in part.figures.items()}
    return VariantRecord(
        source.label,
        source.kind,
        str(source.folder),
        source.sha256,
        source.oa,
        source.reduction,
        source.own.patches.bands,
        one.seconds,
        figures,
        _similarities(one, first),
    )


def _similarities(one: Explained, first: Explained) -> tuple[Similarity, ...]:
    """To the first network, subject by subject; nothing of networks that take other inputs."""
    pairs = zip(one.means, first.means, strict=True)
    found = []
    for number, (here, there) in enumerate(pairs):
        bands = (_ranked(one, here, number), _ranked(first, there, number))
        found.append(similarity(here.magnitude, there.magnitude, *bands))
    return tuple(found)


def _ranked(one: Explained, part: Means, number: int) -> NDArray[np.float32]:
    """Importance of the scene's bands where it is known, else of what the network takes."""
    return importance.of_bands(part.magnitude) if one.bands is None else one.bands[number]
