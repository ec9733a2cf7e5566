"""Claims of the literature on compressing hyperspectral networks, compared with a study's results.

Each claim of the study of hyperspectral image classification and compression (Indian Pines, random
split of 80 %, six runs) is a row of `CLAIMS`: its text, its own values, how it is checked here, and
a function from the means of a study to a finding. `check_claims` evaluates all of them from the
records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hsitf.sweep.record import CellMean, LeftOut, StudyResults

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "not measured"

# Points that an accuracy may be off before it counts as another one.
TOLERANCE = 1.0
NETWORKS = ("he", "hu", "luo", "santara", "cao")


@dataclass(frozen=True)
class Finding:
    """The result of a check: whether the claim holds, and the measured numbers as text."""

    holds: bool
    measured: str


@dataclass(frozen=True)
class PaperClaim:
    """A statement of the literature.

    Attributes:
        topic: Topic of the claim.
        text: The claim in a sentence.
        value: The literature's own figures.
        criterion: How it is checked on the cells of a study.
        check: Returns the finding; None where the study lacks the cells that it needs.
    """

    topic: str
    text: str
    value: str
    criterion: str
    check: Callable[[StudyMeans], Finding | None]


@dataclass(frozen=True)
class CheckedClaim:
    """A statement and whether it holds on a scene."""

    claim: PaperClaim
    verdict: str
    measured: str


@dataclass(frozen=True)
class StudyMeans:
    """The cell means of a study for one scene and split."""

    means: tuple[CellMean, ...]
    left_out: tuple[LeftOut, ...]

    def select(self, **settings: object) -> list[CellMean]:
        """Means whose settings are so; what is not named is as for the network as it is."""
        wanted = {
            "bands": "",
            "components": 0,
            "measure": "",
            "criterion": "",
            "bits": "",
            "variant": "",
            **settings,
        }
        return [
            mean
            for mean in self.means
            if all(
                value is ... or getattr(mean.settings, name) == value
                for name, value in wanted.items()
            )
        ]

    def one(self, **settings: object) -> CellMean | None:
        """The first matching mean, None where there is none."""
        return next(iter(self.select(**settings)), None)

    def reference(self, network: str) -> float | None:
        """Overall accuracy in percent with all bands and weights; None where not measured."""
        found = self.one(network=network)
        return None if found is None else oa(found)


def oa(mean: CellMean) -> float:
    """Overall accuracy in percent."""
    return 100 * mean.values["oa"].mean


def check_claims(
    results: StudyResults, scene: str = "", split: str = ""
) -> tuple[CheckedClaim, ...]:
    """All statements on the results of a study.

    Args:
        results: Results of any study; `compression` has the most measurements.
        scene: Name in the settings; the scene of the study's first cell where empty.
        split: The same; the split that most cells have where empty.
    """
    cells = [cell.settings for cell in results.study.cells]
    scene = scene or cells[0].scene
    splits = [one.split for one in cells if one.scene == scene]
    split = split or max(dict.fromkeys(splits), key=splits.count)
    study_means = StudyMeans(
        tuple(m for m in results.means if (m.settings.scene, m.settings.split) == (scene, split)),
        tuple(one for one in results.study.left_out if one.settings.scene == scene),
    )
    return tuple(_checked(statement, study_means) for statement in CLAIMS)


def _checked(statement: PaperClaim, study: StudyMeans) -> CheckedClaim:
    finding = statement.check(study)
    if finding is None:
        return CheckedClaim(statement, UNKNOWN, "")
    return CheckedClaim(statement, HOLDS if finding.holds else FAILS, finding.measured)


def _points(pairs: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:+.1f}" for name, value in pairs)


def _all(
    pairs: Sequence[tuple[str, float]], fits: Callable[[float], bool], unit: str = " points"
) -> Finding | None:
    """Whether all differences satisfy a condition; None without differences."""
    if not pairs:
        return None
    missing = sorted({name for name, value in pairs if not fits(value)})
    exceptions = f"; not {', '.join(missing)}" if missing else ""
    if len(pairs) > 12:
        values = [value for _, value in pairs]
        spelled = f"{len(pairs)} cells, {min(values):+.1f} to {max(values):+.1f}"
    else:
        spelled = _points(pairs)
    return Finding(not missing, f"{spelled}{unit}{exceptions}")


def _gains(
    study: StudyMeans,
    techniques: Sequence[str],
    networks: Sequence[str] = NETWORKS,
    least: int = 10,
) -> list[tuple[str, float]]:
    """Points that reduced bands gain on all bands, by network, technique and components."""
    found = []
    for network in networks:
        reference = study.reference(network)
        for mean in study.select(network=network, bands=..., components=...):
            own = mean.settings
            if reference is not None and own.bands in techniques and own.components >= least:
                found.append((f"{network} {own.reduction}", oa(mean) - reference))
    return found


def _correlation(points: Sequence[tuple[float, float]]) -> float:
    """Pearson correlation of three or more points that are not all equal."""
    return float(np.corrcoef(np.array(points, np.float64).T)[0, 1])


def _order(study: StudyMeans) -> Finding | None:
    known = {name: study.reference(name) for name in NETWORKS}
    found = {name: value for name, value in known.items() if value is not None}
    if not {"he", "cao", "santara", "hu"} <= set(found):
        return None
    best, last = min(found["he"], found["cao"]), max(found["hu"], found.get("luo", 0.0))
    spelled = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
    return Finding(best > found["santara"] > last, f"{spelled} %")


def _size(network: str, megabytes: float) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        found = study.one(network=network)
        # Sizes follow from the bands; the literature's scene has 200.
        if found is None or found.values["bands"].mean != 200:
            return None
        ours = found.values["weight_bytes"].mean / 1e6
        return Finding(abs(ours / megabytes - 1) <= 0.1, f"{ours:.2f} MB")

    return judge


def _weak(study: StudyMeans) -> Finding | None:
    best: dict[str, float] = {}
    for name, gain in _gains(study, ["pca"], ["hu", "luo", "santara"]):
        network = name.partition(" ")[0]
        best[network] = max(gain, best.get(network, -100.0))
    return _all([*best.items()], lambda gain: gain >= 5)


def _strong(study: StudyMeans) -> Finding | None:
    return _all(_gains(study, ["pca"], ["he", "cao"]), lambda gain: 0 <= gain <= 3)


def _two(study: StudyMeans) -> Finding | None:
    one, two = (study.one(network="santara", bands="pca", components=count) for count in (1, 2))
    reference = study.reference("santara")
    if one is None or two is None or reference is None:
        return None
    summary = f"one {oa(one):.1f} %, two {oa(two):.1f} %, all bands {reference:.1f} %"
    return Finding(oa(two) > reference and oa(two) - oa(one) >= 20, summary)


def _beside_pca(techniques: Sequence[str], within: float) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        pairs = []
        for mean in study.select(network=..., bands=..., components=...):
            own = mean.settings
            pca = study.one(network=own.network, bands="pca", components=own.components)
            if own.bands in techniques and pca is not None:
                pairs.append((f"{own.network} {own.reduction}", oa(mean) - oa(pca)))
        return _all(pairs, lambda difference: abs(difference) <= within)

    return judge


def _kappas(
    techniques: Sequence[str], networks: Sequence[str], fits: Callable[[float], bool]
) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        pairs = [
            (f"{mean.settings.network} {mean.settings.reduction}", mean.values["kappa"].mean)
            for mean in study.select(network=..., bands=..., components=...)
            if mean.settings.bands in techniques and mean.settings.network in networks
        ]
        if not pairs:
            return None
        missing = [name for name, kappa in pairs if not fits(kappa)]
        summary = ", ".join(f"{name} {kappa:.2f}" for name, kappa in pairs[:12])
        return Finding(not missing, f"kappa of {summary}")

    return judge


def _lda_limit(study: StudyMeans) -> Finding | None:
    refused = [one.settings.components for one in study.left_out if one.settings.bands == "lda"]
    made = [
        mean.settings.components for mean in study.select(network=..., bands="lda", components=...)
    ]
    if not made or not refused:
        return None
    summary = f"up to {max(made)} made, {min(refused)} refused"
    return Finding(max(made) < min(refused), summary)


def _lda_accuracy(study: StudyMeans) -> Finding | None:
    found = study.select(network=..., bands="lda", components=...)
    if not found:
        return None
    best = max(map(oa, found))
    return Finding(45 <= best <= 65, f"best {best:.1f} %")


def _chosen(settings: object) -> bool:
    return str(settings).startswith(("linear-", "logistic-", "forest-"))


def _selection_grows(study: StudyMeans) -> Finding | None:
    lines: dict[str, list[tuple[int, float]]] = {}
    for mean in study.select(network=..., bands=..., components=...):
        own = mean.settings
        if _chosen(own.bands):
            lines.setdefault(f"{own.network} {own.bands}", []).append((own.components, oa(mean)))
    pairs = [
        (name, _correlation(points))
        for name, points in lines.items()
        if len(points) > 2 and len({accuracy for _, accuracy in points}) > 1
    ]
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.2f}" for name, value in pairs)
    return Finding(all(value >= 0.9 for _, value in pairs), f"correlation of {summary}")


def _selection_below(study: StudyMeans) -> Finding | None:
    pairs = []
    for mean in study.select(network=..., bands=..., components=...):
        own, reference = mean.settings, study.reference(mean.settings.network)
        exception = own.network == "cao" and own.bands.startswith("logistic")
        if _chosen(own.bands) and reference is not None and not exception:
            pairs.append((f"{own.network} {own.reduction}", oa(mean) - reference))
    return _all(pairs, lambda gain: gain < 0)


def _selection_exception(study: StudyMeans) -> Finding | None:
    reference = study.reference("cao")
    pairs = [
        (mean.settings.reduction, oa(mean) - (reference or 0))
        for mean in study.select(network="cao", bands=..., components=...)
        if mean.settings.bands.startswith("logistic") and mean.settings.components in (10, 30)
    ]
    return None if reference is None else _all(pairs, lambda gain: gain > 0)


def _sizes(study: StudyMeans, network: str) -> list[tuple[float, float]]:
    """Number of input bands and of weights, each number of bands once, ascending."""
    found = {
        mean.values["bands"].mean: mean.values["parameters"].mean
        for mean in study.select(network=network, bands=..., components=...)
    }
    return sorted(found.items())


def _linear(study: StudyMeans) -> Finding | None:
    pairs = []
    for network in ("he", "luo", "santara", "cao"):
        points = _sizes(study, network)
        if len(points) > 2:
            pairs.append((network, _correlation(points) ** 2))
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.4f}" for name, value in pairs)
    return Finding(all(value >= 0.99 for _, value in pairs), f"R² of {summary}")


def _stepped(study: StudyMeans) -> Finding | None:
    points = _sizes(study, "hu")
    if len(points) < 3:
        return None
    bands, sizes = zip(*points, strict=True)
    summary = ", ".join(f"{int(b)} bands {int(s):,}" for b, s in points[:6])
    return Finding(any(np.diff(sizes) < 0) and len(bands) > 2, f"weights at {summary}")


def _least_bands(study: StudyMeans) -> Finding | None:
    summary, right = [], []
    for network, most in (("luo", 40), ("he", 10)):
        refused = [
            one.settings.components
            for one in study.left_out
            if one.settings.network == network and "so few bands" in one.reason
        ]
        made = [
            mean.settings.components
            for mean in study.select(network=network, bands=..., components=...)
            if mean.settings.components
        ]
        if not refused or not made:
            return None
        summary.append(f"{network} not with {max(refused)}, with {min(made)}")
        right.append(most in refused and min(made) > most)
    return Finding(all(right), ", ".join(summary))


def _pruned(study: StudyMeans, network: str, **settings: object) -> list[tuple[float, float]]:
    """Sparsity and overall accuracy in percent, ascending."""
    wanted: dict[str, object] = {"network": network, "measure": "alpha", **settings}
    return sorted((m.values["sparsity"].mean, oa(m)) for m in study.select(**wanted))


def _lossless(network: str, share: float) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        reference = study.reference(network)
        # An alpha does not meet a share exactly.
        points = [p for p in _pruned(study, network) if p[0] <= share + 0.05]
        if reference is None or not points or points[-1][0] < 0.7 * share:
            return None
        summary = ", ".join(f"{removed:.0%} gone {a - reference:+.1f}" for removed, a in points)
        return Finding(all(a >= reference - TOLERANCE for _, a in points), f"{summary} points")

    return judge


def _better_pruned(study: StudyMeans) -> Finding | None:
    reference, points = study.reference("he"), _pruned(study, "he")
    if reference is None or not points:
        return None
    removed, best = max(points, key=lambda point: point[1])
    summary = f"{best:.1f} % with {removed:.0%} gone, {reference:.1f} % before"
    return Finding(best > reference + TOLERANCE, summary)


def _collapse(study: StudyMeans) -> Finding | None:
    pairs = []
    for network in NETWORKS:
        reference = study.reference(network)
        for removed, accuracy in _pruned(study, network):
            if removed >= 0.93 and reference:
                pairs.append((f"{network} at {removed:.0%}", accuracy - reference))
    return _all(pairs, lambda difference: difference <= -20)


def _luo_channels(study: StudyMeans) -> Finding | None:
    reference = study.reference("luo")
    pairs = [
        (f"{mean.settings.target:.0%} of the channels", oa(mean) - (reference or 0))
        for mean in study.select(network="luo", measure="ratio", criterion="l1")
        if mean.settings.target <= 0.65
    ]
    if reference is None or not any(name.startswith("65") for name, _ in pairs):
        return None
    return _all(pairs, lambda difference: difference >= -TOLERANCE)


def _luo_size(study: StudyMeans) -> Finding | None:
    before = study.one(network="luo")
    after = study.one(network="luo", measure="ratio", criterion="l1", target=0.65)
    if before is None or after is None:
        return None
    sizes = [mean.values["weight_bytes"].mean / 1e6 for mean in (before, after)]
    summary = f"{sizes[0]:.0f} -> {sizes[1]:.0f} MB"
    return Finding(abs(sizes[1] / sizes[0] - 139 / 397) <= 0.05, summary)


def _apoz(study: StudyMeans) -> Finding | None:
    reference = study.reference("cao")
    pairs = [
        (f"{mean.settings.target:.0%} of the channels", oa(mean) - (reference or 0))
        for mean in study.select(network="cao", measure="ratio", criterion="apoz")
        if mean.settings.target <= 0.4
    ]
    return None if reference is None else _all(pairs, lambda change: change >= -TOLERANCE)


def _infeasible(study: StudyMeans) -> Finding | None:
    summary = []
    for network in ("he", "santara"):
        before = study.one(network=network)
        after = study.select(network=network, measure="ratio", criterion="l1")
        if before is None or not after:
            return None
        last = after[-1]
        left = last.values["parameters"].mean / before.values["parameters"].mean
        summary.append(
            f"{network} without {last.settings.target:.0%} of its channels: {left:.0%} of the "
            f"weights, {oa(last):.1f} %"
        )
    return Finding(False, "; ".join(summary))


def _triple(study: StudyMeans, network: str, bits: str) -> float | None:
    """Points of overall accuracy that bits gain on the same pixels; None where not measured."""
    found = study.one(network=network, bits=bits)
    if found is None or "oa_before" not in found.values:
        return None
    return oa(found) - 100 * found.values["oa_before"].mean


def _triples(study: StudyMeans, bits: str) -> list[tuple[str, float]]:
    found = [(name, _triple(study, name, bits)) for name in NETWORKS]
    return [(name, value) for name, value in found if value is not None]


def _best_triple(study: StudyMeans) -> Finding | None:
    pairs = []
    for network in NETWORKS:
        known = study.select(network=network, bits=...)
        accuracies = {m.settings.bits: oa(m) for m in known if m.settings.bits}
        if "8,16,32" in accuracies and len(accuracies) > 1:
            pairs.append((network, accuracies["8,16,32"] - max(accuracies.values())))
    return _all(pairs, lambda behind: behind >= -0.5, " points from the best")


def _above(study: StudyMeans) -> Finding | None:
    pairs = _triples(study, "8,16,32")
    if not pairs:
        return None
    above = [value > 0 for _, value in pairs]
    return Finding(2 * sum(above) > len(above), f"{_points(pairs)} points")


def _bits(bits: str, fits: Callable[[float], bool]) -> Callable[[StudyMeans], Finding | None]:
    return lambda evidence: _all(_triples(evidence, bits), fits)


def _accuracies(
    triples: Sequence[str], fits: Callable[[float], bool]
) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        found = [
            (f"{name} {bits}", oa(mean))
            for bits in triples
            for name in NETWORKS
            for mean in study.select(network=name, bits=bits)
        ]
        if not found:
            return None
        accuracies = [value for _, value in found]
        summary = f"{len(found)} cells, {min(accuracies):.1f} to {max(accuracies):.1f} %"
        missing = [name for name, value in found if not fits(value)]
        exceptions = f"; not {', '.join(missing[:6])}" if missing else ""
        return Finding(not missing, summary + exceptions)

    return judge


def _survivors(study: StudyMeans) -> Finding | None:
    summary, right = [], []
    for bits, survives in (
        ("4,4,16", True),
        ("4,8,16", True),
        ("8,4,16", True),
        ("8,8,16", False),
        ("16,16,16", False),
    ):
        changes = _triples(study, bits)
        if changes:
            middle = float(np.median([value for _, value in changes]))
            summary.append(f"({bits}) {middle:+.0f}")
            right.append((middle > -30) == survives)
    return Finding(all(right), f"median {', '.join(summary)} points") if len(right) > 2 else None


def _file(study: StudyMeans, network: str, variant: str, name: str) -> float | None:
    found = study.one(network=network, variant=variant)
    return None if found is None or name not in found.values else found.values[name].mean


def _fractions(
    variant: str, literature: dict[str, float], within: float
) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        pairs = []
        for network in literature:
            small = _file(study, network, variant, "file_bytes")
            whole = _file(study, network, "onnx", "file_bytes")
            if small is not None and whole is not None:
                pairs.append((network, 100 * small / whole))
        if not pairs:
            return None
        summary = ", ".join(f"{name} {value:.1f}" for name, value in pairs)
        right = [abs(value - literature[name]) <= within for name, value in pairs]
        return Finding(all(right), f"{summary} %")

    return judge


def _slower(variant: str, low: float, high: float) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        pairs = []
        for network in NETWORKS:
            times = [_file(study, network, kind, "ms") for kind in (variant, "float32")]
            if times[0] is not None and times[1] is not None:
                pairs.append((network, 100 * (times[0] / times[1] - 1)))
        return _all(pairs, lambda change: low <= change <= high, " % of the time")

    return judge


def _one_by_one(study: StudyMeans) -> Finding | None:
    pairs = []
    for network in NETWORKS:
        single = _file(study, network, "float32", "ms")
        batched = _file(study, network, "", "predict_us")
        if single and batched:
            pairs.append((network, 1000 * single / batched))
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.1f}" for name, value in pairs)
    return Finding(all(value >= 10 for _, value in pairs), f"{summary} times")


def _converted(study: StudyMeans) -> Finding | None:
    made = study.select(network=..., variant="int8")
    if not made:
        return None
    summary = ", ".join(
        f"{m.settings.network} {m.values['integer_share'].mean:.2f} integer" for m in made[:5]
    )
    return Finding(False, f"converted and run: {summary}")


def _piped(study: StudyMeans, network: str) -> list[tuple[float, float]]:
    """Pruned share and accuracy with PCA in front, of every number of components."""
    found = study.select(network=network, bands="pca", components=..., measure="alpha")
    return sorted((mean.values["sparsity"].mean, oa(mean)) for mean in found)


def _pipeline_gain(network: str, share: float) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        reference = study.reference(network)
        near = [p for p in _piped(study, network) if abs(p[0] - share) <= 0.15]
        if reference is None or not near:
            return None
        removed, best = max(near, key=lambda point: point[1])
        summary = f"{best:.1f} % with {removed:.0%} pruned, {reference:.1f} % before"
        return Finding(best > reference + TOLERANCE, summary)

    return judge


def _exception(study: StudyMeans) -> Finding | None:
    reference, points = study.reference("cao"), _piped(study, "cao")
    if reference is None or not points:
        return None
    best = max(accuracy for _, accuracy in points)
    return Finding(best < reference - 5, f"best {best:.1f} %, {reference:.1f} % before")


def _crossing(study: StudyMeans) -> Finding | None:
    reference = study.reference("he")
    alone, piped = _pruned(study, "he"), _piped(study, "he")
    if reference is None or not alone or not piped:
        return None
    last = [
        max(
            [removed for removed, accuracy in points if accuracy >= reference - TOLERANCE],
            default=0.0,
        )
        for points in (alone, piped)
    ]
    return Finding(last[1] > last[0], f"all bands {last[0]:.0%}, with PCA {last[1]:.0%}")


def _added(study: StudyMeans) -> Finding | None:
    pairs = []
    for mean in study.select(network=..., bands="pca", components=..., measure="alpha", bits=...):
        own = mean.settings
        alone = _triple(study, own.network, own.bits) if own.bits else None
        if alone is not None and "oa_before" in mean.values:
            here = oa(mean) - 100 * mean.values["oa_before"].mean
            pairs.append((f"{own.network} ({own.bits}) alpha {own.target:g}", here - alone))
    return _all(pairs, lambda difference: abs(difference) <= 2)


def _smaller(network: str, percent: float) -> Callable[[StudyMeans], Finding | None]:
    def judge(study: StudyMeans) -> Finding | None:
        before, reference = study.one(network=network), study.reference(network)
        piped = study.select(network=network, bands="pca", components=..., measure="alpha")
        if before is None or reference is None or not piped:
            return None
        enough = [m for m in piped if oa(m) >= reference - TOLERANCE]
        left = min([m.values["nonzero"].mean for m in enough], default=float("inf"))
        whole = before.values["parameters"].mean
        less = 100 * (1 - min(left, whole) / whole)
        return Finding(less >= percent - 5, f"{less:.0f} % fewer weights that are not zero")

    return judge


def _cao_near_zero(study: StudyMeans) -> Finding | None:
    before = study.one(network="cao", variant="float32")
    after = [
        m
        for m in study.select(network="cao", variant="float32", measure="ratio", criterion="apoz")
        if m.settings.target >= 0.8
    ]
    if before is None or not after:
        return None
    sizes = [m.values["file_bytes"].mean / 1e6 for m in (before, after[-1])]
    summary = f"{sizes[0]:.2f} -> {sizes[1]:.2f} MB without {after[-1].settings.target:.0%}"
    return Finding(sizes[1] <= 0.1 * sizes[0], summary)


def _cao_quantized(study: StudyMeans) -> Finding | None:
    sizes = [_file(study, "cao", kind, "file_bytes") for kind in ("float32", "int8")]
    if sizes[0] is None or sizes[1] is None:
        return None
    return Finding(sizes[1] <= sizes[0] / 3, f"{sizes[0] / 1e6:.2f} -> {sizes[1] / 1e6:.2f} MB")


def _cao_bands(study: StudyMeans) -> Finding | None:
    summary, right = [], []
    for mean in study.select(network="cao", bands=..., components=..., variant="float32"):
        whole = _file(study, "cao", "float32", "file_bytes")
        own = mean.settings
        if own.bands in ("pca", "nmf") and whole:
            saved = (whole - mean.values["file_bytes"].mean) / 1e6
            summary.append(f"{own.reduction} {saved:.2f} MB")
            right.append(0.5 <= saved <= 2)
    return Finding(all(right), ", ".join(summary)) if summary else None


def _cao_time(study: StudyMeans) -> Finding | None:
    pairs = []
    whole = _file(study, "cao", "", "predict_us")
    for mean in study.select(network="cao", bands=..., components=...):
        own = mean.settings
        if own.bands in ("pca", "nmf") and whole and "predict_us" in mean.values:
            pairs.append((own.reduction, 100 * (mean.values["predict_us"].mean / whole - 1)))
    return _all(pairs, lambda change: change <= -10, " % of the time")


def _claims() -> Iterable[PaperClaim]:
    bands, fine, coarse = "bands", "single weights", "channels"
    few, files, pipes, keras = "few bits", "files", "pipelines", "cao in Keras"
    yield PaperClaim(
        "reference",
        "he and cao classify best, santara follows, hu and luo come last",
        "OA: he 94.55, cao 94.81, santara 76.54, hu 47.46, luo 41.41 %",
        "he and cao above santara, santara above hu and luo",
        _order,
    )
    for network, size in (
        ("he", 1.14),
        ("hu", 0.31),
        ("luo", 396.95),
        ("santara", 10.44),
        ("cao", 4.56),
    ):
        yield PaperClaim(
            "reference",
            f"size of the float32 weights of {network}",
            f"{size} MB",
            "4 bytes a weight, within 10 %, on 200 bands",
            _size(network, size),
        )
    yield PaperClaim(
        bands,
        "PCA is never below the reference",
        "10 to 190 components",
        f"every network and number of components, but for {TOLERANCE:g} point",
        lambda e: _all(_gains(e, ["pca"]), lambda gain: gain >= -TOLERANCE),
    )
    yield PaperClaim(
        bands,
        "PCA lifts weak networks far above the reference",
        "santara 76 -> 90, hu 47 -> 75..80, luo 41 -> 80 %",
        "best number of components, 5 points or more",
        _weak,
    )
    yield PaperClaim(
        bands,
        "PCA lifts strong networks a little",
        "cao 94.8 -> 95..96, he 94.5 -> 96..97 %",
        "every number of components, 0 to 3 points",
        _strong,
    )
    yield PaperClaim(
        bands,
        "two components are enough for santara, one is not",
        "95.36 and 52.19 %",
        "two above all bands, and 20 points or more above one",
        _two,
    )
    yield PaperClaim(
        bands,
        "incremental, kernel and sparse PCA and SVD are about as good as PCA",
        "",
        "the same components, within 2 points",
        _beside_pca(["incremental_pca", "kernel_pca", "sparse_pca", "svd"], 2),
    )
    yield PaperClaim(
        bands,
        "NMF is within 3 % of PCA",
        "3 %",
        "the same components, within 3 points",
        _beside_pca(["nmf"], 3),
    )
    yield PaperClaim(
        bands,
        "LLE is good on santara and cao",
        "",
        "kappa above 0.5",
        _kappas(["lle"], ["santara", "cao"], lambda kappa: kappa > 0.5),
    )
    yield PaperClaim(
        bands,
        "LLE is useless on he, hu and luo",
        "kappa 0",
        "kappa below 0.1",
        _kappas(["lle"], ["he", "hu", "luo"], lambda kappa: kappa < 0.1),
    )
    yield PaperClaim(
        bands,
        "LDA gives at most one component less than there are classes",
        "C - 1",
        "more were refused",
        _lda_limit,
    )
    yield PaperClaim(
        bands, "LDA reaches about 55 %", "55 %", "best cell, 45 to 65 %", _lda_accuracy
    )
    yield PaperClaim(
        bands,
        "ICA, factor analysis, feature agglomeration, random projections, manifolds and the "
        "autoencoder are useless",
        "kappa near 0",
        "kappa below 0.1, every cell",
        _kappas(
            [
                "ica",
                "factor_analysis",
                "feature_agglomeration",
                "grp",
                "srp",
                "umap",
                "tsne",
                "isomap",
                "mds",
                "dictionary",
                "boulch",
            ],
            NETWORKS,
            lambda kappa: kappa < 0.1,
        ),
    )
    yield PaperClaim(
        bands,
        "with selected bands, OA grows about linearly with their number",
        "",
        "correlation of 0.9 or more, three numbers or more",
        _selection_grows,
    )
    yield PaperClaim(
        bands,
        "with selected bands, OA stays under the reference",
        "",
        "every cell",
        _selection_below,
    )
    yield PaperClaim(
        bands,
        "but for logistic regression on cao",
        "at 10 and 30 bands",
        "above the reference",
        _selection_exception,
    )
    yield PaperClaim(
        bands,
        "the size of he, luo, santara and cao falls linearly with the components",
        "",
        "R² of weights over bands 0.99 or more, three numbers or more",
        _linear,
    )
    yield PaperClaim(
        bands,
        "the size of hu goes in steps, as its kernel follows the bands",
        "four steps",
        "somewhere fewer bands take more weights",
        _stepped,
    )
    yield PaperClaim(
        bands,
        "luo needs more than 40 bands, he more than 10",
        "",
        "those are refused, and more are not",
        _least_bands,
    )
    for network, share in (
        ("cao", 0.4),
        ("santara", 0.4),
        ("hu", 0.38),
        ("he", 0.62),
        ("luo", 0.9915),
    ):
        yield PaperClaim(
            fine,
            f"{network} loses nothing up to {100 * share:g} %",
            f"{100 * share:g} %",
            f"every alpha up to there, but for {TOLERANCE:g} point",
            _lossless(network, share),
        )
    yield PaperClaim(
        fine,
        "he becomes better by pruning",
        "94.55 -> 98.48 % with 62 % gone",
        f"best alpha, more than {TOLERANCE:g} point",
        _better_pruned,
    )
    yield PaperClaim(
        fine,
        "after 90 to 93 % everything collapses",
        "",
        "20 points lost or more, every alpha that takes 93 % or more",
        _collapse,
    )
    yield PaperClaim(
        coarse,
        "luo holds to 65 % of the channels of both convolutions",
        "65 %",
        f"every ratio up to there, but for {TOLERANCE:g} point",
        _luo_channels,
    )
    yield PaperClaim(
        coarse,
        "without them luo takes 139 MB",
        "397 -> 139 MB",
        "weights, within 5 % of 397 MB",
        _luo_size,
    )
    yield PaperClaim(
        coarse,
        "cao loses nothing up to 40 % by APoZ",
        "40 %",
        f"every ratio up to there, but for {TOLERANCE:g} point",
        _apoz,
    )
    yield PaperClaim(
        coarse,
        "channels of he (sums) and santara (branches) cannot be removed",
        "infeasible",
        "no network without them",
        _infeasible,
    )
    yield PaperClaim(
        few, "(8,16,32) is the best triple", "", "within half a point of the best", _best_triple
    )
    yield PaperClaim(
        few, "(8,16,32) is often above the reference", "", "more than half of the networks", _above
    )
    yield PaperClaim(
        few,
        "(8,8,32) is about 1 % under",
        "1 %",
        "0 to 2 points lost",
        _bits("8,8,32", lambda change: -2 <= change <= 0),
    )
    yield PaperClaim(
        few,
        "(8,4,16) is the budget choice",
        "",
        "10 points lost at most",
        _bits("8,4,16", lambda change: change >= -10),
    )
    yield PaperClaim(
        few,
        "with 16-bit accumulators only (4,4), (4,8) and (8,4) survive",
        "others about 10 %",
        "30 points lost at most, median of the networks; the others more",
        _survivors,
    )
    yield PaperClaim(
        few,
        "accumulators under 16 bits are useless",
        "7 to 18 %",
        "20 % at most, every network",
        _accuracies(["8,16,8", "8,16,4"], lambda accuracy: accuracy <= 20),
    )
    yield PaperClaim(
        few,
        "16, 8 or 4 bits for all three are useless",
        "at most 16 %",
        "20 % at most, every network",
        _accuracies(["16,16,16", "8,8,8", "4,4,4"], lambda accuracy: accuracy <= 20),
    )
    halves = {"cao": 50.03, "he": 50.21, "hu": 50.19, "luo": 50.0, "santara": 50.09}
    yield PaperClaim(
        files,
        "a 16-bit ONNX file takes half of the float one",
        "50.0 to 50.2 %",
        "within 5 points",
        _fractions("onnx-float16", halves, 5),
    )
    quarters = {"cao": 38.94, "he": 26.84, "hu": 36.27, "luo": 25.0, "santara": 38.31}
    yield PaperClaim(
        files,
        "what an 8-bit ONNX file takes of the float one",
        ", ".join(f"{name} {value}" for name, value in quarters.items()) + " %",
        "within 5 points",
        _fractions("onnx-int8", quarters, 5),
    )
    yield PaperClaim(
        files,
        "float16 .tflite files are slower on the desktop",
        "by 4 to 7 %",
        "0 to 15 % slower than float32, every network",
        _slower("float16", 0, 15),
    )
    yield PaperClaim(
        files,
        "int8 .tflite files are slower on the desktop",
        "by 5 to 10 %",
        "0 to 20 % slower than float32, every network",
        _slower("int8", 0, 20),
    )
    yield PaperClaim(
        files,
        "one patch a call is much slower than a batch",
        "about 20 times",
        "10 times or more: float32 .tflite against Keras in batches",
        _one_by_one,
    )
    yield PaperClaim(
        files,
        "networks with reshapes cannot be converted for phones",
        "conversion crashed",
        "no integer file",
        _converted,
    )
    for network, share, value in (
        ("he", 0.7, "94 -> 99.8 %"),
        ("hu", 0.63, "47 -> 77 %"),
        ("santara", 0.72, "76 -> 98 %"),
        ("luo", 0.7, "41 -> 90..93 %"),
    ):
        yield PaperClaim(
            pipes,
            f"{network} with PCA and {share:.0%} pruned is better than before",
            value,
            f"best cell with {share - 0.15:.0%} to {share + 0.15:.0%} pruned, more than "
            f"{TOLERANCE:g} point",
            _pipeline_gain(network, share),
        )
    yield PaperClaim(
        pipes,
        "cao is the exception",
        "95 -> 81 % at best",
        "best cell, 5 points lost or more",
        _exception,
    )
    yield PaperClaim(
        pipes,
        "with PCA, he can lose more weights before it falls under the reference",
        "64 % without, 80 to 90 % with",
        "last share at the reference, greater with PCA",
        _crossing,
    )
    yield PaperClaim(
        pipes,
        "quantization on top costs what it costs alone",
        "",
        "within 2 points, every network, alpha and triple",
        _added,
    )
    for network, percent in (("he", 82), ("hu", 95), ("luo", 90), ("santara", 85)):
        yield PaperClaim(
            pipes,
            f"at the reference OA {network} is smaller by {percent} %",
            f"{percent} %",
            "weights that are not zero, within 5 points or better",
            _smaller(network, percent),
        )
    yield PaperClaim(
        keras,
        "pruning by APoZ takes its size to near 0",
        "4.5 MB -> near 0",
        "a tenth or less with 80 % of the channels gone",
        _cao_near_zero,
    )
    yield PaperClaim(
        keras,
        "quantization alone takes two thirds of its size",
        "4.5 -> 1.5 MB",
        "int8 at most a third of float32",
        _cao_quantized,
    )
    yield PaperClaim(
        keras, "PCA and NMF save 1 MB", "1 MB", "float32 files, 0.5 to 2 MB", _cao_bands
    )
    yield PaperClaim(
        keras, "PCA and NMF save a fifth of the inference time", "20 %", "10 % or more", _cao_time
    )


CLAIMS = tuple(_claims())
