"""Reductions of bands compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from hsitf.band_comparison.comparison import Comparison
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Prose, ReportTable, Section
from hsitf.report.formatting import mean
from hsitf.report.study_grids import ReferenceMeans
from hsitf.sweep.record import StudyResults

# By technique and network, numbers of components that were tried, and whether accuracy was higher
# than with all bands.
Trials = Mapping[tuple[str, str], Mapping[int, bool]]


def section(data: ReportData) -> Section | None:
    """Cost of each reduction, and the accuracy of networks on what is left."""
    blocks: list[Block] = []
    for number, one in enumerate(data.comparisons, start=1):
        blocks.append(_comparison(one, f"bands-{number}"))
        trials = _trials_of_comparison(one)
        if any(len(counts) > 1 for counts in trials.values()):
            blocks.append(components_table(trials, f"components-{number}", one.scene))
    if data.study is not None:
        blocks += _study(data.study)
    return Section("bands", "Band reduction", tuple(blocks)) if blocks else None


def _comparison(one: Comparison, name: str) -> ReportTable:
    models = list(dict.fromkeys(cell.model for cell in one.cells))
    rows = [("all bands", "-", "-", "-", *(_accuracy(one, model, "") for model in models))]
    rows += [
        (
            fit.spec,
            f"{fit.fit_seconds:.2f}",
            f"{fit.transform_seconds:.2f}",
            "yes" if fit.foldable else "no",
            *(_accuracy(one, model, fit.spec) for model in models),
        )
        for fit in one.reductions
    ]
    head = (
        "reduction",
        "fit, s",
        "transform, s",
        "in the file",
        *(f"OA of {model}, %" for model in models),
    )
    return ReportTable(
        name,
        f"Reductions of {one.scene}'s {one.bands} bands, fitted to "
        f"{one.training_pixels:,} training pixels.",
        head,
        tuple(rows),
    )


def _accuracy(found: Comparison, model: str, text: str) -> str:
    cell = found.cell(model, text)
    return "-" if cell is None else mean(cell.mean)


def _trials_of_comparison(found: Comparison) -> Trials:
    trials: dict[tuple[str, str], dict[int, bool]] = {}
    for cell in found.cells:
        technique, _, count = cell.spec.partition(":")
        whole = found.cell(cell.model, "")
        if count.isdecimal() and whole is not None:
            beaten = cell.mean.mean > whole.mean.mean
            trials.setdefault((technique, cell.model), {})[int(count)] = beaten
    return trials


def _study(study: StudyResults) -> list[Block]:
    """One table for each scene and split of which a study has reduced bands."""
    references = ReferenceMeans(study)
    found: dict[tuple[str, str], dict[tuple[str, str], dict[int, bool]]] = {}
    for one in study.means:
        own = one.settings
        reference = references.oa(one)
        if not own.components or own.pruning or own.quantization or reference is None:
            continue
        trials = found.setdefault((own.scene, own.split), {})
        beaten = one.values["oa"].mean > reference
        trials.setdefault((own.bands, own.network), {})[own.components] = beaten
    if not found:
        return []
    lead = (
        "Where reduced bands gain accuracy: the numbers of components at which a network's overall "
        "accuracy on test pixels is above its own with all bands, over the same seeds, and of how "
        "many that were tried."
    )
    tables = [
        components_table(trials, f"components-{number}", f"{scene}, {split} split")
        for number, ((scene, split), trials) in enumerate(found.items(), start=1)
    ]
    return [Prose(lead), *tables]


def components_table(trials: Trials, name: str, where: str) -> ReportTable:
    """Numbers of components at which accuracy is above that of all bands, by technique and network.

    Args:
        trials: What was tried.
        name: Name of the table's file.
        where: The scene, for the caption.
    """
    techniques = dict.fromkeys(technique for technique, _ in trials)
    networks = tuple(dict.fromkeys(network for _, network in trials))
    rows = tuple(
        (technique, *(_beaten(trials.get((technique, network), {})) for network in networks))
        for technique in techniques
    )
    return ReportTable(
        name,
        f"Components at which overall accuracy is above that of all bands ({where}).",
        ("technique", *networks),
        rows,
    )


def _beaten(counts: Mapping[int, bool]) -> str:
    """Such as "20 to 60, 100 (4 of 6)"; "-" where nothing was tried."""
    if not counts:
        return "-"
    beaten = sum(counts.values())
    if not beaten:
        return f"none of {len(counts)}"
    tried = sorted(counts)
    runs = [list(group) for above, group in groupby(tried, key=counts.get) if above]
    return f"{', '.join(_spelled(runs))} ({beaten} of {len(counts)})"


def _spelled(runs: Iterable[list[int]]) -> list[str]:
    """Runs of neighboring numbers: "20 to 60" where they are three or more."""
    found: list[str] = []
    for run in runs:
        found += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return found
