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
from hsitf.explain import figure, importance, outputs, truncation
from hsitf.explain.averaging import MeanAttribution, mean_attribution
from hsitf.explain.explanation import Explanation, SourceExplanation
from hsitf.explain.feature_maps import chosen_maps
from hsitf.explain.methods import check
from hsitf.explain.outputs import ExplainedOutput
from hsitf.explain.record import ExplanationRecord, OutputRecord, SourceRecord
from hsitf.explain.request import MAX_SAMPLES, MAX_SAMPLES_OF_FILE, ExplanationOptions
from hsitf.explain.similarity import Similarity, similarity
from hsitf.explain.sources import ExplainedSource, expand_folders, load_scene_of, open_source
from hsitf.files import replacing, sha256
from hsitf.log_silencing import suppressed_output
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.scenes.scene import Scene

FIGURES = (".png", ".svg")


def explain(
    folders: Sequence[Path],
    choice: SceneChoice,
    options: ExplanationOptions,
    progress: Progress,
    model: str | None = None,
) -> tuple[Explanation, list[Path]]:
    """Explains networks and files, and writes arrays, figures and, last, the record.

    Args:
        folders: Folders of runs, bundles and curves; the first is the reference of the
            similarities.
        choice: The scene; the first one's own where its source is empty.
        options: What to explain, and how.
        progress: Receives progress messages.
        model: Name of the network that the first has to be of; None where any will do.

    Returns:
        The explanation and the files that were written.

    Raises:
        InputError: The question has no meaning for these networks.
        DataError: A run, a bundle or the scene is damaged or is another one's.
        OutputError: The files cannot be written.
    """
    expanded = expand_folders(list(folders))
    with suppressed_output():
        scene = load_scene_of(expanded[0], choice)
        sources = [open_source(folder, scene) for folder in expanded]
    if model is not None and sources[0].network != model:
        raise InputError(
            f"{expanded[0]} is of another network", received=model, allowed=sources[0].network
        )
    _check(options, sources)
    subjects = _subjects(options, scene, sources)
    explained = tuple(_explained(source, subjects, options, progress) for source in sources)
    stem = _place(options, sources)
    arrays, record = stem.with_suffix(".npz"), stem.with_suffix(".json")
    # Published right before the record that names its digest, so that the two are of one kind for
    # whoever reads them while this works.
    with replacing(arrays) as temporary:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **_arrays(scene, subjects, explained))
        written = _record(options, scene, subjects, explained, sha256(temporary))
        done = Explanation(options, scene, tuple(subjects), explained, written)
        drawn = [path for suffix in FIGURES for path in figure.draw(done, stem, suffix)]
    records.write(written, record)
    return done, [record, arrays, *drawn]


def _check(options: ExplanationOptions, sources: Sequence[ExplainedSource]) -> None:
    """Refuses impossible requests before any work."""
    for source in sources:
        if source.native_view.network is None:
            check(options.method, source.kind)
        elif options.settings.weight:
            layer, name = truncation.split_weight(options.settings.weight)
            truncation.weight(truncation.truncate(source.native_view.network, layer), name)
        elif not options.method.spectral:
            chosen_maps(source.native_view.network, options.settings.layer)
    sides = sorted({source.native_view.patches.patch for source in sources})
    if len(sides) > 1:
        raise InputError(
            "networks of different patch sizes cannot be compared",
            received=f"sides of {', '.join(map(str, sides))} pixels",
            remedy="explain them one by one",
        )
    most = min(source.native_view.patches.bands for source in sources)
    if bad := [column for column in options.map_bands if column >= most]:
        raise InputError(
            "a network takes no such bands or components",
            received=f"--show {','.join(map(str, bad[:5]))}",
            allowed=f"0 to {most - 1}",
        )


def _subjects(
    options: ExplanationOptions, scene: Scene, sources: Sequence[ExplainedSource]
) -> list[ExplainedOutput]:
    first = sources[0]
    if options.method.explains == "filters":
        return _filters(options, scene, sources)
    if options.pixel is not None:
        own = first.native_view
        logits = lambda pixels: own.logits(own.patches.extract(pixels))  # noqa: E731
        return [outputs.pixel_output(scene, options.pixel, options.class_name, logits)]
    if first.run is None:
        raise DataError(
            f"the test pixels of {first.folder} are not known: its run does not exist here",
            received="a bundle without the run that it was made from",
            remedy="name a single pixel with --pixel ROW,COL, or give a run with --from before it",
        )
    some = (
        MAX_SAMPLES_OF_FILE
        if any(source.native_view.network is None for source in sources)
        else MAX_SAMPLES
    )
    return outputs.class_outputs(
        scene, first.run.split(), options.class_name, options.max_samples or some
    )


def _filters(
    options: ExplanationOptions, scene: Scene, sources: Sequence[ExplainedSource]
) -> list[ExplainedOutput]:
    """The requested filters, as far as every network has them."""
    networks = [source.native_view.require_network() for source in sources]
    end = truncation.logits_layer(networks[0])
    layer = options.settings.layer or end
    count = min(truncation.truncate(network, layer).filters for network in networks)
    return outputs.filter_outputs(
        layer, count, options.filters, scene.class_names if layer == end else ()
    )


def _explained(
    source: ExplainedSource,
    subjects: Sequence[ExplainedOutput],
    options: ExplanationOptions,
    progress: Progress,
) -> SourceExplanation:
    start = time.perf_counter()
    views = [source.native_view]
    banded = options.method.explains == "pixels" and options.method.spectral
    if banded and source.band_view not in (None, source.native_view):
        views.append(source.band_view)
    steps = len(views) * sum(max(1, len(one.pixels)) for one in subjects)
    progress.start(f"explaining {source.label}", steps)
    found = [
        [
            mean_attribution(view, options.method, options.settings, one, progress)
            for one in subjects
        ]
        for view in views
    ]
    known = banded and source.band_view is not None
    bands = (
        np.stack([importance.band_importance(one.magnitude) for one in found[-1]])
        if known
        else None
    )
    return SourceExplanation(source, tuple(found[0]), bands, time.perf_counter() - start)


def _place(options: ExplanationOptions, sources: Sequence[ExplainedSource]) -> Path:
    """Path of the record, arrays and figures, without suffix."""
    first = sources[0].folder
    folder = options.folder or first.with_name(f"{first.name}-explained")
    several = f"-of{len(sources)}" if len(sources) > 1 and not options.name else ""
    return folder / f"{options.label}{several}"


def _arrays(
    scene: Scene, subjects: Sequence[ExplainedOutput], explained: Sequence[SourceExplanation]
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
        for name in one.attributions[0].arrays:
            found[f"{name}{number}"] = np.stack([part.arrays[name] for part in one.attributions])
    return found


def _record(
    options: ExplanationOptions,
    scene: Scene,
    subjects: Sequence[ExplainedOutput],
    explained: Sequence[SourceExplanation],
    digest: str,
) -> ExplanationRecord:
    first = explained[0]
    chosen = _chosen(options, first, len(subjects))
    whole = "" if first.bands is None else _named(options, importance.mean_importance(first.bands))
    run = first.source.run
    return ExplanationRecord(
        schema=records.SCHEMA,
        method=options.method.name,
        settings=options.settings,
        backend=keras.config.backend(),
        network=first.source.network,
        scene=scene.name,
        synthetic=scene.synthetic,
        split=run.record.split.kind if run else "",
        patch=first.source.native_view.patches.patch,
        bands=scene.bands,
        outputs=tuple(
            OutputRecord(one.name, one.output, len(one.pixels), bands)
            for one, bands in zip(subjects, chosen, strict=True)
        ),
        sources=tuple(_variant(one, first) for one in explained),
        top_bands=whole,
        sha256=digest,
        versions=records.versions(),
        command=records.command(),
    )


def _chosen(options: ExplanationOptions, first: SourceExplanation, count: int) -> list[str]:
    if first.bands is None:
        return [""] * count
    return [_named(options, bands) for bands in first.bands]


def _named(options: ExplanationOptions, bands: NDArray[np.float32]) -> str:
    return importance.selection_spec(
        importance.top_bands(bands, options.num_top_bands, options.min_band_distance)
    )


def _variant(one: SourceExplanation, first: SourceExplanation) -> SourceRecord:
    source = one.source
    figures: dict[str, float] = {}
    for part in one.attributions:
        figures |= {name: max(n, figures.get(name, n)) for name, n in part.metrics.items()}
    return SourceRecord(
        source.label,
        source.kind,
        str(source.folder),
        source.sha256,
        source.oa,
        source.reduction,
        source.native_view.patches.bands,
        one.seconds,
        figures,
        _similarities(one, first),
    )


def _similarities(one: SourceExplanation, first: SourceExplanation) -> tuple[Similarity, ...]:
    """Similarities to the first network, output by output; empty for networks with other inputs."""
    pairs = zip(one.attributions, first.attributions, strict=True)
    found = []
    for number, (here, there) in enumerate(pairs):
        bands = (_ranked(one, here, number), _ranked(first, there, number))
        found.append(similarity(here.magnitude, there.magnitude, *bands))
    return tuple(found)


def _ranked(one: SourceExplanation, part: MeanAttribution, number: int) -> NDArray[np.float32]:
    """Importance of the scene's bands where it is known, else of the network's inputs."""
    return importance.band_importance(part.magnitude) if one.bands is None else one.bands[number]
