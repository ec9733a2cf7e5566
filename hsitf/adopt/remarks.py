"""What readers of an adopted network's record need to know, in words."""

from __future__ import annotations

from hsitf.adopt.diagnosis import Diagnosis
from hsitf.adopt.network import RebuiltNetwork
from hsitf.errors import VerificationError
from hsitf.scenes.scene import Scene


def at_chance(found: Diagnosis) -> VerificationError:
    """The error for a network that is no better than chance, with what would explain it."""
    cause = found.explanation
    return VerificationError(
        "the network is no better than chance on this scene, so it was not adopted",
        received=f"{found.given} on {found.given.basis}",
        remedy=(
            f"{in_words(found)} gives {cause}: {cause.advice}"
            if cause is not None
            else f"none of {found.tried} usual readings explains it: give what training "
            "computed of the bands with --normalize FILE, the axes with --input-axes, or the "
            "classes with --class-order"
        )
        + "; or adopt it as it is with --accept-chance",
    )


def in_words(found: Diagnosis) -> str:
    """What the best reading changes, in words."""
    best = found.explanation
    assert best is not None
    options, given = best.reading.preprocessing, found.given.reading.preprocessing
    parts = []
    if (options.normalize, options.statistics) != (given.normalize, given.statistics):
        over = "" if options.normalize == "none" else f" over the {options.statistics}"
        over = over.replace("training", "training pixels")
        parts.append(f"another normalization ({options.normalize}{over})")
    if options.reverse_bands != given.reverse_bands:
        parts.append("the reverse order of bands")
    if best.reading.layout:
        parts.append(f"another order of axes ({best.reading.layout})")
    if best.order != found.given.order:
        parts.append(_numbering(best.order))
    return " with ".join(parts)


def _numbering(order: tuple[int, ...]) -> str:
    classes = max(order)
    kept = [one for one in order if one]
    if kept == [classes, *range(1, classes)]:
        return "another numbering of classes (the last one as 0)"
    if kept == [*range(2, classes + 1), 1]:
        return "another numbering of classes (from 0, the first one last)"
    if len(kept) > 2 and kept == [*range(classes, 0, -1)]:
        return "another numbering of classes (reversed)"
    return "another order of classes"


def remarks_on(network: RebuiltNetwork, scene: Scene) -> list[str]:
    """What was changed of a network's outputs."""
    remarks = []
    if network.activation:
        remarks.append(f"the {network.activation} at the end was left out: outputs are logits")
    removed = [at for at, one in enumerate(network.order, 1) if not one]
    if removed:
        numbers = ", ".join(map(str, removed))
        remarks.append(
            f"output {numbers} of {len(network.order)} was removed: it is no class of {scene.name}"
        )
    if [one for one in network.order if one] != list(range(1, scene.classes + 1)):
        remarks.append("outputs were put into the scene's order of classes")
    return remarks


def doubts(found: Diagnosis) -> list[str]:
    """What readers of the record need to know of the trials."""
    cause = found.explanation
    if cause is None:
        return []
    return [
        f"{in_words(found)} would give {cause} on {cause.basis}, as described it has "
        f"{found.compared}: to take it so, {cause.advice}"
    ]
