"""What the literature found on compressing hyperspectral networks, held against a study's results.

Each statement of the study of hyperspectral image classification and compression (Indian Pines,
random split of 80 %, six runs) is a row of `STATEMENTS`: what it says, its own figures, how it is
checked here, and a function from the evidence of a study to what was found. `judged` evaluates
all of them. Numbers only: records in, words out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hsitf.sweep.record import LeftOut, Mean, StudyResults

HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "not measured"

# Points that an accuracy may be off before it counts as another one.
TOLERANCE = 1.0
NETWORKS = ("he", "hu", "luo", "santara", "cao")


@dataclass(frozen=True)
class Finding:
    """What a study says of a statement: whether it holds, and the numbers in words."""

    holds: bool
    measured: str


@dataclass(frozen=True)
class Statement:
    """A statement of the literature.

    Attributes:
        topic: What it is about.
        text: What it says.
        value: The literature's own figures.
        check: How it is checked on the cells of a study.
        judge: What was found; None where the study does not measure what it takes.
    """

    topic: str
    text: str
    value: str
    check: str
    judge: Callable[[Evidence], Finding | None]


@dataclass(frozen=True)
class Judged:
    """A statement and whether it holds on a scene."""

    statement: Statement
    verdict: str
    measured: str


@dataclass(frozen=True)
class Evidence:
    """The means of a study's cells of one scene and split."""

    means: tuple[Mean, ...]
    left_out: tuple[LeftOut, ...]

    def select(self, **settings: object) -> list[Mean]:
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

    def one(self, **settings: object) -> Mean | None:
        """The first of them, None where there is none."""
        return next(iter(self.select(**settings)), None)

    def reference(self, network: str) -> float | None:
        """Overall accuracy in percent with all bands and weights; None where not measured."""
        found = self.one(network=network)
        return None if found is None else oa(found)


def oa(mean: Mean) -> float:
    """Overall accuracy in percent."""
    return 100 * mean.values["oa"].mean


def judged(results: StudyResults, scene: str = "", split: str = "") -> tuple[Judged, ...]:
    """All statements on the results of a study.

    Args:
        results: Of any study; those of `compression` measure most.
        scene: As in settings; that of the study's first cell where empty.
        split: The same; the split that most cells have where empty.
    """
    cells = [cell.settings for cell in results.study.cells]
    scene = scene or cells[0].scene
    splits = [one.split for one in cells if one.scene == scene]
    split = split or max(dict.fromkeys(splits), key=splits.count)
    evidence = Evidence(
        tuple(m for m in results.means if (m.settings.scene, m.settings.split) == (scene, split)),
        tuple(one for one in results.study.left_out if one.settings.scene == scene),
    )
    return tuple(_judged(statement, evidence) for statement in STATEMENTS)


def _judged(statement: Statement, evidence: Evidence) -> Judged:
    finding = statement.judge(evidence)
    if finding is None:
        return Judged(statement, UNKNOWN, "")
    return Judged(statement, HOLDS if finding.holds else FAILS, finding.measured)


def _points(pairs: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:+.1f}" for name, value in pairs)


def _all(
    pairs: Sequence[tuple[str, float]], fits: Callable[[float], bool], unit: str = " points"
) -> Finding | None:
    """Whether all of several differences fit; None where there are none."""
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
    evidence: Evidence,
    techniques: Sequence[str],
    networks: Sequence[str] = NETWORKS,
    least: int = 10,
) -> list[tuple[str, float]]:
    """Points that reduced bands gain on all bands, by network, technique and components."""
    found = []
    for network in networks:
        reference = evidence.reference(network)
        for mean in evidence.select(network=network, bands=..., components=...):
            own = mean.settings
            if reference is not None and own.bands in techniques and own.components >= least:
                found.append((f"{network} {own.reduction}", oa(mean) - reference))
    return found


def _correlation(points: Sequence[tuple[float, float]]) -> float:
    """Pearson's, of three or more points that are not all alike."""
    return float(np.corrcoef(np.array(points, np.float64).T)[0, 1])


def _order(evidence: Evidence) -> Finding | None:
    known = {name: evidence.reference(name) for name in NETWORKS}
    found = {name: value for name, value in known.items() if value is not None}
    if not {"he", "cao", "santara", "hu"} <= set(found):
        return None
    best, last = min(found["he"], found["cao"]), max(found["hu"], found.get("luo", 0.0))
    spelled = ", ".join(f"{name} {value:.1f}" for name, value in found.items())
    return Finding(best > found["santara"] > last, f"{spelled} %")


def _size(network: str, megabytes: float) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        found = evidence.one(network=network)
        # Sizes follow from the bands; the literature's scene has 200.
        if found is None or found.values["bands"].mean != 200:
            return None
        ours = found.values["weight_bytes"].mean / 1e6
        return Finding(abs(ours / megabytes - 1) <= 0.1, f"{ours:.2f} MB")

    return judge


def _weak(evidence: Evidence) -> Finding | None:
    best: dict[str, float] = {}
    for name, gain in _gains(evidence, ["pca"], ["hu", "luo", "santara"]):
        network = name.partition(" ")[0]
        best[network] = max(gain, best.get(network, -100.0))
    return _all([*best.items()], lambda gain: gain >= 5)


def _strong(evidence: Evidence) -> Finding | None:
    return _all(_gains(evidence, ["pca"], ["he", "cao"]), lambda gain: 0 <= gain <= 3)


def _two(evidence: Evidence) -> Finding | None:
    one, two = (evidence.one(network="santara", bands="pca", components=count) for count in (1, 2))
    reference = evidence.reference("santara")
    if one is None or two is None or reference is None:
        return None
    told = f"one {oa(one):.1f} %, two {oa(two):.1f} %, all bands {reference:.1f} %"
    return Finding(oa(two) > reference and oa(two) - oa(one) >= 20, told)


def _beside_pca(techniques: Sequence[str], within: float) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        pairs = []
        for mean in evidence.select(network=..., bands=..., components=...):
            own = mean.settings
            pca = evidence.one(network=own.network, bands="pca", components=own.components)
            if own.bands in techniques and pca is not None:
                pairs.append((f"{own.network} {own.reduction}", oa(mean) - oa(pca)))
        return _all(pairs, lambda difference: abs(difference) <= within)

    return judge


def _kappas(
    techniques: Sequence[str], networks: Sequence[str], fits: Callable[[float], bool]
) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        pairs = [
            (f"{mean.settings.network} {mean.settings.reduction}", mean.values["kappa"].mean)
            for mean in evidence.select(network=..., bands=..., components=...)
            if mean.settings.bands in techniques and mean.settings.network in networks
        ]
        if not pairs:
            return None
        missing = [name for name, kappa in pairs if not fits(kappa)]
        told = ", ".join(f"{name} {kappa:.2f}" for name, kappa in pairs[:12])
        return Finding(not missing, f"kappa of {told}")

    return judge


def _lda_limit(evidence: Evidence) -> Finding | None:
    refused = [one.settings.components for one in evidence.left_out if one.settings.bands == "lda"]
    made = [
        mean.settings.components
        for mean in evidence.select(network=..., bands="lda", components=...)
    ]
    if not made or not refused:
        return None
    told = f"up to {max(made)} made, {min(refused)} refused"
    return Finding(max(made) < min(refused), told)


def _lda_accuracy(evidence: Evidence) -> Finding | None:
    found = evidence.select(network=..., bands="lda", components=...)
    if not found:
        return None
    best = max(map(oa, found))
    return Finding(45 <= best <= 65, f"best {best:.1f} %")


def _chosen(settings: object) -> bool:
    return str(settings).startswith(("linear-", "logistic-", "forest-"))


def _selection_grows(evidence: Evidence) -> Finding | None:
    lines: dict[str, list[tuple[int, float]]] = {}
    for mean in evidence.select(network=..., bands=..., components=...):
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
    told = ", ".join(f"{name} {value:.2f}" for name, value in pairs)
    return Finding(all(value >= 0.9 for _, value in pairs), f"correlation of {told}")


def _selection_below(evidence: Evidence) -> Finding | None:
    pairs = []
    for mean in evidence.select(network=..., bands=..., components=...):
        own, reference = mean.settings, evidence.reference(mean.settings.network)
        exception = own.network == "cao" and own.bands.startswith("logistic")
        if _chosen(own.bands) and reference is not None and not exception:
            pairs.append((f"{own.network} {own.reduction}", oa(mean) - reference))
    return _all(pairs, lambda gain: gain < 0)


def _selection_exception(evidence: Evidence) -> Finding | None:
    reference = evidence.reference("cao")
    pairs = [
        (mean.settings.reduction, oa(mean) - (reference or 0))
        for mean in evidence.select(network="cao", bands=..., components=...)
        if mean.settings.bands.startswith("logistic") and mean.settings.components in (10, 30)
    ]
    return None if reference is None else _all(pairs, lambda gain: gain > 0)


def _sizes(evidence: Evidence, network: str) -> list[tuple[float, float]]:
    """Bands that a network takes and its weights, each number of bands once, rising."""
    found = {
        mean.values["bands"].mean: mean.values["parameters"].mean
        for mean in evidence.select(network=network, bands=..., components=...)
    }
    return sorted(found.items())


def _linear(evidence: Evidence) -> Finding | None:
    pairs = []
    for network in ("he", "luo", "santara", "cao"):
        points = _sizes(evidence, network)
        if len(points) > 2:
            pairs.append((network, _correlation(points) ** 2))
    if not pairs:
        return None
    told = ", ".join(f"{name} {value:.4f}" for name, value in pairs)
    return Finding(all(value >= 0.99 for _, value in pairs), f"R² of {told}")


def _stepped(evidence: Evidence) -> Finding | None:
    points = _sizes(evidence, "hu")
    if len(points) < 3:
        return None
    bands, sizes = zip(*points, strict=True)
    told = ", ".join(f"{int(b)} bands {int(s):,}" for b, s in points[:6])
    return Finding(any(np.diff(sizes) < 0) and len(bands) > 2, f"weights at {told}")


def _least_bands(evidence: Evidence) -> Finding | None:
    told, right = [], []
    for network, most in (("luo", 40), ("he", 10)):
        refused = [
            one.settings.components
            for one in evidence.left_out
            if one.settings.network == network and "so few bands" in one.reason
        ]
        made = [
            mean.settings.components
            for mean in evidence.select(network=network, bands=..., components=...)
            if mean.settings.components
        ]
        if not refused or not made:
            return None
        told.append(f"{network} not with {max(refused)}, with {min(made)}")
        right.append(most in refused and min(made) > most)
    return Finding(all(right), ", ".join(told))


def _pruned(evidence: Evidence, network: str, **settings: object) -> list[tuple[float, float]]:
    """Share of the weights that is gone, and overall accuracy in percent, rising."""
    wanted: dict[str, object] = {"network": network, "measure": "alpha", **settings}
    return sorted((m.values["zeros"].mean, oa(m)) for m in evidence.select(**wanted))


def _lossless(network: str, share: float) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        reference = evidence.reference(network)
        # An alpha does not meet a share exactly.
        points = [p for p in _pruned(evidence, network) if p[0] <= share + 0.05]
        if reference is None or not points or points[-1][0] < 0.7 * share:
            return None
        told = ", ".join(f"{gone:.0%} gone {a - reference:+.1f}" for gone, a in points)
        return Finding(all(a >= reference - TOLERANCE for _, a in points), f"{told} points")

    return judge


def _better_pruned(evidence: Evidence) -> Finding | None:
    reference, points = evidence.reference("he"), _pruned(evidence, "he")
    if reference is None or not points:
        return None
    gone, best = max(points, key=lambda point: point[1])
    told = f"{best:.1f} % with {gone:.0%} gone, {reference:.1f} % before"
    return Finding(best > reference + TOLERANCE, told)


def _collapse(evidence: Evidence) -> Finding | None:
    pairs = []
    for network in NETWORKS:
        reference = evidence.reference(network)
        for gone, accuracy in _pruned(evidence, network):
            if gone >= 0.93 and reference:
                pairs.append((f"{network} at {gone:.0%}", accuracy - reference))
    return _all(pairs, lambda difference: difference <= -20)


def _luo_channels(evidence: Evidence) -> Finding | None:
    reference = evidence.reference("luo")
    pairs = [
        (f"{mean.settings.target:.0%} of the channels", oa(mean) - (reference or 0))
        for mean in evidence.select(network="luo", measure="ratio", criterion="l1")
        if mean.settings.target <= 0.65
    ]
    if reference is None or not any(name.startswith("65") for name, _ in pairs):
        return None
    return _all(pairs, lambda difference: difference >= -TOLERANCE)


def _luo_size(evidence: Evidence) -> Finding | None:
    before = evidence.one(network="luo")
    after = evidence.one(network="luo", measure="ratio", criterion="l1", target=0.65)
    if before is None or after is None:
        return None
    sizes = [mean.values["weight_bytes"].mean / 1e6 for mean in (before, after)]
    told = f"{sizes[0]:.0f} -> {sizes[1]:.0f} MB"
    return Finding(abs(sizes[1] / sizes[0] - 139 / 397) <= 0.05, told)


def _apoz(evidence: Evidence) -> Finding | None:
    reference = evidence.reference("cao")
    pairs = [
        (f"{mean.settings.target:.0%} of the channels", oa(mean) - (reference or 0))
        for mean in evidence.select(network="cao", measure="ratio", criterion="apoz")
        if mean.settings.target <= 0.4
    ]
    return None if reference is None else _all(pairs, lambda change: change >= -TOLERANCE)


def _infeasible(evidence: Evidence) -> Finding | None:
    told = []
    for network in ("he", "santara"):
        before = evidence.one(network=network)
        after = evidence.select(network=network, measure="ratio", criterion="l1")
        if before is None or not after:
            return None
        last = after[-1]
        left = last.values["parameters"].mean / before.values["parameters"].mean
        told.append(
            f"{network} without {last.settings.target:.0%} of its channels: {left:.0%} of the "
            f"weights, {oa(last):.1f} %"
        )
    return Finding(False, "; ".join(told))


def _triple(evidence: Evidence, network: str, bits: str) -> float | None:
    """Points of overall accuracy that bits gain on the same pixels; None where not measured."""
    found = evidence.one(network=network, bits=bits)
    if found is None or "oa_before" not in found.values:
        return None
    return oa(found) - 100 * found.values["oa_before"].mean


def _triples(evidence: Evidence, bits: str) -> list[tuple[str, float]]:
    found = [(name, _triple(evidence, name, bits)) for name in NETWORKS]
    return [(name, value) for name, value in found if value is not None]


def _best_triple(evidence: Evidence) -> Finding | None:
    pairs = []
    for network in NETWORKS:
        known = evidence.select(network=network, bits=...)
        accuracies = {m.settings.bits: oa(m) for m in known if m.settings.bits}
        if "8,16,32" in accuracies and len(accuracies) > 1:
            pairs.append((network, accuracies["8,16,32"] - max(accuracies.values())))
    return _all(pairs, lambda behind: behind >= -0.5, " points from the best")


def _above(evidence: Evidence) -> Finding | None:
    pairs = _triples(evidence, "8,16,32")
    if not pairs:
        return None
    above = [value > 0 for _, value in pairs]
    return Finding(2 * sum(above) > len(above), f"{_points(pairs)} points")


def _bits(bits: str, fits: Callable[[float], bool]) -> Callable[[Evidence], Finding | None]:
    return lambda evidence: _all(_triples(evidence, bits), fits)


def _accuracies(
    triples: Sequence[str], fits: Callable[[float], bool]
) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        found = [
            (f"{name} {bits}", oa(mean))
            for bits in triples
            for name in NETWORKS
            for mean in evidence.select(network=name, bits=bits)
        ]
        if not found:
            return None
        accuracies = [value for _, value in found]
        told = f"{len(found)} cells, {min(accuracies):.1f} to {max(accuracies):.1f} %"
        missing = [name for name, value in found if not fits(value)]
        exceptions = f"; not {', '.join(missing[:6])}" if missing else ""
        return Finding(not missing, told + exceptions)

    return judge


def _survivors(evidence: Evidence) -> Finding | None:
    told, right = [], []
    for bits, survives in (
        ("4,4,16", True),
        ("4,8,16", True),
        ("8,4,16", True),
        ("8,8,16", False),
        ("16,16,16", False),
    ):
        changes = _triples(evidence, bits)
        if changes:
            middle = float(np.median([value for _, value in changes]))
            told.append(f"({bits}) {middle:+.0f}")
            right.append((middle > -30) == survives)
    return Finding(all(right), f"median {', '.join(told)} points") if len(right) > 2 else None


def _file(evidence: Evidence, network: str, variant: str, name: str) -> float | None:
    found = evidence.one(network=network, variant=variant)
    return None if found is None or name not in found.values else found.values[name].mean


def _fractions(
    variant: str, literature: dict[str, float], within: float
) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        pairs = []
        for network in literature:
            small = _file(evidence, network, variant, "file_bytes")
            whole = _file(evidence, network, "onnx", "file_bytes")
            if small is not None and whole is not None:
                pairs.append((network, 100 * small / whole))
        if not pairs:
            return None
        told = ", ".join(f"{name} {value:.1f}" for name, value in pairs)
        right = [abs(value - literature[name]) <= within for name, value in pairs]
        return Finding(all(right), f"{told} %")

    return judge


def _slower(variant: str, low: float, high: float) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        pairs = []
        for network in NETWORKS:
            times = [_file(evidence, network, kind, "ms") for kind in (variant, "float32")]
            if times[0] is not None and times[1] is not None:
                pairs.append((network, 100 * (times[0] / times[1] - 1)))
        return _all(pairs, lambda change: low <= change <= high, " % of the time")

    return judge


def _one_by_one(evidence: Evidence) -> Finding | None:
    pairs = []
    for network in NETWORKS:
        single = _file(evidence, network, "float32", "ms")
        batched = _file(evidence, network, "", "predict_us")
        if single and batched:
            pairs.append((network, 1000 * single / batched))
    if not pairs:
        return None
    told = ", ".join(f"{name} {value:.1f}" for name, value in pairs)
    return Finding(all(value >= 10 for _, value in pairs), f"{told} times")


def _converted(evidence: Evidence) -> Finding | None:
    made = evidence.select(network=..., variant="int8")
    if not made:
        return None
    told = ", ".join(
        f"{m.settings.network} {m.values['integer_share'].mean:.2f} integer" for m in made[:5]
    )
    return Finding(False, f"converted and run: {told}")


def _piped(evidence: Evidence, network: str) -> list[tuple[float, float]]:
    """Pruned share and accuracy with PCA in front, of every number of components."""
    found = evidence.select(network=network, bands="pca", components=..., measure="alpha")
    return sorted((mean.values["zeros"].mean, oa(mean)) for mean in found)


def _pipeline_gain(network: str, share: float) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        reference = evidence.reference(network)
        near = [p for p in _piped(evidence, network) if abs(p[0] - share) <= 0.15]
        if reference is None or not near:
            return None
        gone, best = max(near, key=lambda point: point[1])
        told = f"{best:.1f} % with {gone:.0%} pruned, {reference:.1f} % before"
        return Finding(best > reference + TOLERANCE, told)

    return judge


def _exception(evidence: Evidence) -> Finding | None:
    reference, points = evidence.reference("cao"), _piped(evidence, "cao")
    if reference is None or not points:
        return None
    best = max(accuracy for _, accuracy in points)
    return Finding(best < reference - 5, f"best {best:.1f} %, {reference:.1f} % before")


def _crossing(evidence: Evidence) -> Finding | None:
    reference = evidence.reference("he")
    alone, piped = _pruned(evidence, "he"), _piped(evidence, "he")
    if reference is None or not alone or not piped:
        return None
    last = [
        max([gone for gone, accuracy in points if accuracy >= reference - TOLERANCE], default=0.0)
        for points in (alone, piped)
    ]
    return Finding(last[1] > last[0], f"all bands {last[0]:.0%}, with PCA {last[1]:.0%}")


def _added(evidence: Evidence) -> Finding | None:
    pairs = []
    for mean in evidence.select(
        network=..., bands="pca", components=..., measure="alpha", bits=...
    ):
        own = mean.settings
        alone = _triple(evidence, own.network, own.bits) if own.bits else None
        if alone is not None and "oa_before" in mean.values:
            here = oa(mean) - 100 * mean.values["oa_before"].mean
            pairs.append((f"{own.network} ({own.bits}) alpha {own.target:g}", here - alone))
    return _all(pairs, lambda difference: abs(difference) <= 2)


def _smaller(network: str, percent: float) -> Callable[[Evidence], Finding | None]:
    def judge(evidence: Evidence) -> Finding | None:
        before, reference = evidence.one(network=network), evidence.reference(network)
        piped = evidence.select(network=network, bands="pca", components=..., measure="alpha")
        if before is None or reference is None or not piped:
            return None
        enough = [m for m in piped if oa(m) >= reference - TOLERANCE]
        left = min([m.values["nonzero"].mean for m in enough], default=float("inf"))
        whole = before.values["parameters"].mean
        less = 100 * (1 - min(left, whole) / whole)
        return Finding(less >= percent - 5, f"{less:.0f} % fewer weights that are not zero")

    return judge


def _cao_near_zero(evidence: Evidence) -> Finding | None:
    before = evidence.one(network="cao", variant="float32")
    after = [
        m
        for m in evidence.select(
            network="cao", variant="float32", measure="ratio", criterion="apoz"
        )
        if m.settings.target >= 0.8
    ]
    if before is None or not after:
        return None
    sizes = [m.values["file_bytes"].mean / 1e6 for m in (before, after[-1])]
    told = f"{sizes[0]:.2f} -> {sizes[1]:.2f} MB without {after[-1].settings.target:.0%}"
    return Finding(sizes[1] <= 0.1 * sizes[0], told)


def _cao_quantized(evidence: Evidence) -> Finding | None:
    sizes = [_file(evidence, "cao", kind, "file_bytes") for kind in ("float32", "int8")]
    if sizes[0] is None or sizes[1] is None:
        return None
    return Finding(sizes[1] <= sizes[0] / 3, f"{sizes[0] / 1e6:.2f} -> {sizes[1] / 1e6:.2f} MB")


def _cao_bands(evidence: Evidence) -> Finding | None:
    told, right = [], []
    for mean in evidence.select(network="cao", bands=..., components=..., variant="float32"):
        whole = _file(evidence, "cao", "float32", "file_bytes")
        own = mean.settings
        if own.bands in ("pca", "nmf") and whole:
            saved = (whole - mean.values["file_bytes"].mean) / 1e6
            told.append(f"{own.reduction} {saved:.2f} MB")
            right.append(0.5 <= saved <= 2)
    return Finding(all(right), ", ".join(told)) if told else None


def _cao_time(evidence: Evidence) -> Finding | None:
    pairs = []
    whole = _file(evidence, "cao", "", "predict_us")
    for mean in evidence.select(network="cao", bands=..., components=...):
        own = mean.settings
        if own.bands in ("pca", "nmf") and whole and "predict_us" in mean.values:
            pairs.append((own.reduction, 100 * (mean.values["predict_us"].mean / whole - 1)))
    return _all(pairs, lambda change: change <= -10, " % of the time")


def _statements() -> Iterable[Statement]:
    bands, fine, coarse = "bands", "single weights", "channels"
    few, files, pipes, keras = "few bits", "files", "pipelines", "cao in Keras"
    yield Statement(
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
        yield Statement(
            "reference",
            f"size of the float32 weights of {network}",
            f"{size} MB",
            "4 bytes a weight, within 10 %, on 200 bands",
            _size(network, size),
        )
    yield Statement(
        bands,
        "PCA is never below the reference",
        "10 to 190 components",
        f"every network and number of components, but for {TOLERANCE:g} point",
        lambda e: _all(_gains(e, ["pca"]), lambda gain: gain >= -TOLERANCE),
    )
    yield Statement(
        bands,
        "PCA lifts weak networks far above the reference",
        "santara 76 -> 90, hu 47 -> 75..80, luo 41 -> 80 %",
        "best number of components, 5 points or more",
        _weak,
    )
    yield Statement(
        bands,
        "PCA lifts strong networks a little",
        "cao 94.8 -> 95..96, he 94.5 -> 96..97 %",
        "every number of components, 0 to 3 points",
        _strong,
    )
    yield Statement(
        bands,
        "two components are enough for santara, one is not",
        "95.36 and 52.19 %",
        "two above all bands, and 20 points or more above one",
        _two,
    )
    yield Statement(
        bands,
        "incremental, kernel and sparse PCA and SVD are about as good as PCA",
        "",
        "the same components, within 2 points",
        _beside_pca(["incremental_pca", "kernel_pca", "sparse_pca", "svd"], 2),
    )
    yield Statement(
        bands,
        "NMF is within 3 % of PCA",
        "3 %",
        "the same components, within 3 points",
        _beside_pca(["nmf"], 3),
    )
    yield Statement(
        bands,
        "LLE is good on santara and cao",
        "",
        "kappa above 0.5",
        _kappas(["lle"], ["santara", "cao"], lambda kappa: kappa > 0.5),
    )
    yield Statement(
        bands,
        "LLE is useless on he, hu and luo",
        "kappa 0",
        "kappa below 0.1",
        _kappas(["lle"], ["he", "hu", "luo"], lambda kappa: kappa < 0.1),
    )
    yield Statement(
        bands,
        "LDA gives at most one component less than there are classes",
        "C - 1",
        "more were refused",
        _lda_limit,
    )
    yield Statement(bands, "LDA reaches about 55 %", "55 %", "best cell, 45 to 65 %", _lda_accuracy)
    yield Statement(
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
    yield Statement(
        bands,
        "with selected bands, OA grows about linearly with their number",
        "",
        "correlation of 0.9 or more, three numbers or more",
        _selection_grows,
    )
    yield Statement(
        bands,
        "with selected bands, OA stays under the reference",
        "",
        "every cell",
        _selection_below,
    )
    yield Statement(
        bands,
        "but for logistic regression on cao",
        "at 10 and 30 bands",
        "above the reference",
        _selection_exception,
    )
    yield Statement(
        bands,
        "the size of he, luo, santara and cao falls linearly with the components",
        "",
        "R² of weights over bands 0.99 or more, three numbers or more",
        _linear,
    )
    yield Statement(
        bands,
        "the size of hu goes in steps, as its kernel follows the bands",
        "four steps",
        "somewhere fewer bands take more weights",
        _stepped,
    )
    yield Statement(
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
        yield Statement(
            fine,
            f"{network} loses nothing up to {100 * share:g} %",
            f"{100 * share:g} %",
            f"every alpha up to there, but for {TOLERANCE:g} point",
            _lossless(network, share),
        )
    yield Statement(
        fine,
        "he becomes better by pruning",
        "94.55 -> 98.48 % with 62 % gone",
        f"best alpha, more than {TOLERANCE:g} point",
        _better_pruned,
    )
    yield Statement(
        fine,
        "after 90 to 93 % everything collapses",
        "",
        "20 points lost or more, every alpha that takes 93 % or more",
        _collapse,
    )
    yield Statement(
        coarse,
        "luo holds to 65 % of the channels of both convolutions",
        "65 %",
        f"every ratio up to there, but for {TOLERANCE:g} point",
        _luo_channels,
    )
    yield Statement(
        coarse,
        "without them luo takes 139 MB",
        "397 -> 139 MB",
        "weights, within 5 % of 397 MB",
        _luo_size,
    )
    yield Statement(
        coarse,
        "cao loses nothing up to 40 % by APoZ",
        "40 %",
        f"every ratio up to there, but for {TOLERANCE:g} point",
        _apoz,
    )
    yield Statement(
        coarse,
        "channels of he (sums) and santara (branches) cannot be removed",
        "infeasible",
        "no network without them",
        _infeasible,
    )
    yield Statement(
        few, "(8,16,32) is the best triple", "", "within half a point of the best", _best_triple
    )
    yield Statement(
        few, "(8,16,32) is often above the reference", "", "more than half of the networks", _above
    )
    yield Statement(
        few,
        "(8,8,32) is about 1 % under",
        "1 %",
        "0 to 2 points lost",
        _bits("8,8,32", lambda change: -2 <= change <= 0),
    )
    yield Statement(
        few,
        "(8,4,16) is the budget choice",
        "",
        "10 points lost at most",
        _bits("8,4,16", lambda change: change >= -10),
    )
    yield Statement(
        few,
        "with 16-bit accumulators only (4,4), (4,8) and (8,4) survive",
        "others about 10 %",
        "30 points lost at most, median of the networks; the others more",
        _survivors,
    )
    yield Statement(
        few,
        "accumulators under 16 bits are useless",
        "7 to 18 %",
        "20 % at most, every network",
        _accuracies(["8,16,8", "8,16,4"], lambda accuracy: accuracy <= 20),
    )
    yield Statement(
        few,
        "16, 8 or 4 bits for all three are useless",
        "at most 16 %",
        "20 % at most, every network",
        _accuracies(["16,16,16", "8,8,8", "4,4,4"], lambda accuracy: accuracy <= 20),
    )
    halves = {"cao": 50.03, "he": 50.21, "hu": 50.19, "luo": 50.0, "santara": 50.09}
    yield Statement(
        files,
        "a 16-bit ONNX file takes half of the float one",
        "50.0 to 50.2 %",
        "within 5 points",
        _fractions("onnx-float16", halves, 5),
    )
    quarters = {"cao": 38.94, "he": 26.84, "hu": 36.27, "luo": 25.0, "santara": 38.31}
    yield Statement(
        files,
        "what an 8-bit ONNX file takes of the float one",
        ", ".join(f"{name} {value}" for name, value in quarters.items()) + " %",
        "within 5 points",
        _fractions("onnx-int8", quarters, 5),
    )
    yield Statement(
        files,
        "float16 .tflite files are slower on the desktop",
        "by 4 to 7 %",
        "0 to 15 % slower than float32, every network",
        _slower("float16", 0, 15),
    )
    yield Statement(
        files,
        "int8 .tflite files are slower on the desktop",
        "by 5 to 10 %",
        "0 to 20 % slower than float32, every network",
        _slower("int8", 0, 20),
    )
    yield Statement(
        files,
        "one patch a call is much slower than a batch",
        "about 20 times",
        "10 times or more: float32 .tflite against Keras in batches",
        _one_by_one,
    )
    yield Statement(
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
        yield Statement(
            pipes,
            f"{network} with PCA and {share:.0%} pruned is better than before",
            value,
            f"best cell with {share - 0.15:.0%} to {share + 0.15:.0%} pruned, more than "
            f"{TOLERANCE:g} point",
            _pipeline_gain(network, share),
        )
    yield Statement(
        pipes,
        "cao is the exception",
        "95 -> 81 % at best",
        "best cell, 5 points lost or more",
        _exception,
    )
    yield Statement(
        pipes,
        "with PCA, he can lose more weights before it falls under the reference",
        "64 % without, 80 to 90 % with",
        "last share at the reference, greater with PCA",
        _crossing,
    )
    yield Statement(
        pipes,
        "quantization on top costs what it costs alone",
        "",
        "within 2 points, every network, alpha and triple",
        _added,
    )
    for network, percent in (("he", 82), ("hu", 95), ("luo", 90), ("santara", 85)):
        yield Statement(
            pipes,
            f"at the reference OA {network} is smaller by {percent} %",
            f"{percent} %",
            "weights that are not zero, within 5 points or better",
            _smaller(network, percent),
        )
    yield Statement(
        keras,
        "pruning by APoZ takes its size to near 0",
        "4.5 MB -> near 0",
        "a tenth or less with 80 % of the channels gone",
        _cao_near_zero,
    )
    yield Statement(
        keras,
        "quantization alone takes two thirds of its size",
        "4.5 -> 1.5 MB",
        "int8 at most a third of float32",
        _cao_quantized,
    )
    yield Statement(
        keras, "PCA and NMF save 1 MB", "1 MB", "float32 files, 0.5 to 2 MB", _cao_bands
    )
    yield Statement(
        keras, "PCA and NMF save a fifth of the inference time", "20 %", "10 % or more", _cao_time
    )


STATEMENTS = tuple(_statements())
