"""Checks of simulated bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hsitf.literature.checks.base import (
    NETWORKS,
    Finding,
    Limits,
    all_inside,
    bits_change,
    bits_changes,
    check,
    format_points,
    reduced_means,
)
from hsitf.literature.means import StudyMeans
from hsitf.literature.means import overall_accuracy as oa


@check
def bits_best(study: StudyMeans, bits: str, within: float) -> Finding | None:
    """A triple of bits is within so many points of the best triple, for every network."""
    pairs = []
    for network in NETWORKS:
        known = study.select(network=network, bits=...)
        accuracies = {m.settings.bits: oa(m) for m in known if m.settings.bits}
        if bits in accuracies and len(accuracies) > 1:
            pairs.append((network, accuracies[bits] - max(accuracies.values())))
    return all_inside(pairs, Limits(at_least=-within), " points from the best")


@check
def bits_often_above(study: StudyMeans, bits: str) -> Finding | None:
    """A triple of bits is above the reference for more than half of the networks."""
    pairs = bits_changes(study, bits)
    if not pairs:
        return None
    above = [value > 0 for _, value in pairs]
    return Finding(2 * sum(above) > len(above), f"{format_points(pairs)} points")


@check
def bits_gain(study: StudyMeans, bits: str, limits: Limits) -> Finding | None:
    """What a triple of bits gains over the reference, for every network."""
    return all_inside(bits_changes(study, bits), limits)


@check
def bits_surviving(
    study: StudyMeans, survivors: Sequence[str], others: Sequence[str], above: float
) -> Finding | None:
    """The median gain of the networks is above a limit for the survivors, not for the others."""
    summary, right = [], []
    for bits in (*survivors, *others):
        if gains := bits_changes(study, bits):
            middle = float(np.median([value for _, value in gains]))
            summary.append(f"({bits}) {middle:+.0f}")
            right.append((middle > above) == (bits in survivors))
    return Finding(all(right), f"median {', '.join(summary)} points") if len(right) > 2 else None


@check
def bits_accuracy(
    study: StudyMeans,
    bits: Sequence[str],
    limits: Limits,
    networks: Sequence[str] = NETWORKS,
    bands: Sequence[str] = (),
) -> Finding | None:
    """The accuracy with each of several triples of bits, for every network.

    Args:
        study: Results of the study.
        bits: Triples of bits that count.
        limits: Of the accuracy in percent.
        networks: Networks that count.
        bands: Techniques of band reduction before; all bands where empty.
    """
    found = [
        (f"{name} {triple}", oa(mean))
        for triple in bits
        for name in networks
        for mean in (
            reduced_means(study, bands, [name], bits=triple, measure=..., criterion=...)
            if bands
            else study.select(network=name, bits=triple)
        )
    ]
    if not found:
        return None
    accuracies = [value for _, value in found]
    summary = f"{len(found)} cells, {min(accuracies):.1f} to {max(accuracies):.1f} %"
    outside = [name for name, value in found if not limits.contain(value)]
    exceptions = f"; not {', '.join(outside[:6])}" if outside else ""
    return Finding(not outside, summary + exceptions)


@check
def files_as_simulated(
    study: StudyMeans, variants: dict[str, str], networks: Sequence[str], within: float
) -> Finding | None:
    """Files lose as much accuracy as the simulation of their bits, up to so many points.

    Args:
        study: Results of the study.
        variants: The triple of bits that simulates a variant, by variant.
        networks: Networks that count.
        within: Points that the two losses may differ by.
    """
    pairs = []
    for variant, bits in variants.items():
        for network in networks:
            mean, simulated = (
                study.one(network=network, variant=variant),
                bits_change(study, network, bits),
            )
            if mean is not None and simulated is not None and "oa_before" in mean.values:
                change = oa(mean) - 100 * mean.values["oa_before"].mean
                pairs.append((f"{network} {variant}", change - simulated))
    return all_inside(pairs, Limits(at_least=-within, at_most=within))
