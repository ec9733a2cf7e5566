"""Checks of exported files: bytes and latencies."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.literature.checks.base import (
    NETWORKS,
    Finding,
    Limits,
    all_inside,
    check,
    reduced_means,
)
from hsitf.literature.means import StudyMeans


@check
def file_percent(
    study: StudyMeans, variant: str, other: str, percent: dict[str, float], within: float
) -> Finding | None:
    """A file takes so many percent of another one.

    Args:
        study: Results of the study.
        variant: Variant of the file.
        other: Variant of the file that is 100 %.
        percent: The literature's figures, by network.
        within: Percentage points that they may be off.
    """
    pairs = []
    for network in percent:
        small = study.value("file_bytes", network=network, variant=variant)
        whole = study.value("file_bytes", network=network, variant=other)
        if small is not None and whole is not None:
            pairs.append((network, 100 * small / whole))
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.1f}" for name, value in pairs)
    return Finding(all(abs(v - percent[n]) <= within for n, v in pairs), f"{summary} %")


@check
def file_slower(study: StudyMeans, variant: str, other: str, limits: Limits) -> Finding | None:
    """By how many percent a file is slower than another one, for every network."""
    pairs = []
    for network in NETWORKS:
        time, usual = (study.value("ms", network=network, variant=v) for v in (variant, other))
        if time is not None and usual is not None:
            pairs.append((network, 100 * (time / usual - 1)))
    return all_inside(pairs, limits, " % of the time")


@check
def single_patch_slower(study: StudyMeans, variant: str, times: float) -> Finding | None:
    """A patch in a file of its own call takes so many times its time in a Keras batch, or more."""
    pairs = []
    for network in NETWORKS:
        single = study.value("ms", network=network, variant=variant)
        batched = study.value("predict_us", network=network)
        if single and batched:
            pairs.append((network, 1000 * single / batched))
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.1f}" for name, value in pairs)
    return Finding(all(value >= times for _, value in pairs), f"{summary} times")


@check
def not_convertible(study: StudyMeans, variant: str) -> Finding | None:
    """No network can be converted; it fails where a study has such files."""
    made = study.select(network=..., variant=variant)
    if not made:
        return None
    summary = ", ".join(
        f"{mean.settings.network} {mean.values['integer_share'].mean:.2f} integer"
        for mean in made[:5]
    )
    return Finding(False, f"converted and run: {summary}")


@check
def file_times_smaller(
    study: StudyMeans, network: str, variant: str, other: str, times: float
) -> Finding | None:
    """A file is so many times smaller than another one, or more."""
    whole = study.value("file_bytes", network=network, variant=other)
    small = study.value("file_bytes", network=network, variant=variant)
    if whole is None or small is None:
        return None
    return Finding(small <= whole / times, f"{whole / 1e6:.2f} -> {small / 1e6:.2f} MB")


@check
def file_without_channels(
    study: StudyMeans, network: str, variant: str, importance: str, ratio: float, share: float
) -> Finding | None:
    """Without a ratio of the channels or more, a file takes at most a share of its bytes."""
    before = study.one(network=network, variant=variant)
    after = [
        mean
        for mean in study.select(
            network=network, variant=variant, measure="ratio", criterion=importance
        )
        if mean.settings.target >= ratio
    ]
    if before is None or not after:
        return None
    sizes = [mean.values["file_bytes"].mean / 1e6 for mean in (before, after[-1])]
    summary = f"{sizes[0]:.2f} -> {sizes[1]:.2f} MB without {after[-1].settings.target:.0%}"
    return Finding(sizes[1] <= share * sizes[0], summary)


@check
def bands_file_saving(
    study: StudyMeans,
    network: str,
    bands: Sequence[str],
    variant: str,
    limits: Limits,
    components: Sequence[int] = (),
) -> Finding | None:
    """The megabytes by which a file with reduced bands, to so many components, is smaller."""
    whole = study.value("file_bytes", network=network, variant=variant)
    summary, right = [], []
    for mean in reduced_means(study, bands, [network], variant=variant):
        if whole and mean.settings.components in (components or (mean.settings.components,)):
            saved = (whole - mean.values["file_bytes"].mean) / 1e6
            summary.append(f"{mean.settings.reduction} {saved:.2f} MB")
            right.append(limits.contain(saved))
    return Finding(all(right), ", ".join(summary)) if summary else None


@check
def bands_time_change(
    study: StudyMeans,
    network: str,
    bands: Sequence[str],
    limits: Limits,
    components: Sequence[int] = (),
) -> Finding | None:
    """The change in percent of the inference time in Keras with reduced bands."""
    whole = study.value("predict_us", network=network)
    pairs = [
        (mean.settings.reduction, 100 * (mean.values["predict_us"].mean / whole - 1))
        for mean in reduced_means(study, bands, [network])
        if whole
        and "predict_us" in mean.values
        and mean.settings.components in (components or (mean.settings.components,))
    ]
    return all_inside(pairs, limits, " % of the time")
