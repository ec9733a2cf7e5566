"""What a user asks to be pruned, read from the words of a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hsitf.errors import InputError
from hsitf.prune.kind_names import KINDS as KIND_NAMES
from hsitf.prune.kind_names import check_kind
from hsitf.prune.thresholds import KINDS


def parse_targets(
    given: Mapping[str, float | None],
    curve: str | None,
    layers: bool,
    layer_alphas: bool = False,
    clusters: bool = False,
) -> tuple[str, tuple[float, ...]]:
    """The requested measure and its targets: several for a curve.

    Args:
        given: The value that the user gave for each measure; None where there is none.
        curve: Several targets of the measure, such as "0.2,0.4"; the measure's own value is then
            ignored.
        layers: Whether ratios of single layers or kinds of channels were given, which do not need
            one for all layers.
        layer_alphas: Whether alphas of single layers were given; all others then keep their
            weights.
        clusters: Whether weights are clustered, which needs nothing to be removed.

    Raises:
        InputError: No measure or several measures, or a value that is not a number.
    """
    named = [name for name, value in given.items() if value is not None]
    if not named and layer_alphas and curve is None:
        named = ["alpha"]
    if not named and clusters and not layers and curve is None:
        named = ["sparsity"]
    if not named and (layers or curve is not None):
        named = ["ratio"]
    if len(named) != 1:
        raise InputError(
            "one target of the pruning is needed",
            received=" and ".join(f"--{name}" for name in named) or "none",
            allowed=", ".join(f"--{name}" for name in given),
            remedy="name one, such as --macs 0.5",
        )
    (measure,) = named
    if curve is not None:
        return measure, _numbers(curve)
    return measure, (given[measure] or 0.0,)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        found = tuple(dict.fromkeys(float(part) for part in text.split(",")))
    except ValueError:
        raise InputError(
            "--curve is no list of numbers", received=text, allowed="such as 0.2,0.4,0.6,0.8"
        ) from None
    if len(found) < 2:
        raise InputError("a curve has two points or more", received=text, allowed="0.2,0.4")
    return found


def check_sensitivity(given: Mapping[str, object]) -> None:
    """Refuses options beside `--sensitivity` that it has no use for.

    Args:
        given: Options by their names; what is None, False or empty was not given.

    Raises:
        InputError: One was given.
    """
    if odd := [name for name, value in given.items() if value]:
        raise InputError(
            "--sensitivity cuts every group by 10 to 90 % and retrains nothing",
            received=", ".join(odd),
            remedy="leave them out",
        )


def parse_layer_ratios(words: Sequence[str]) -> dict[str, float]:
    """Ratios of single layers, from words such as "conv1=0.3".

    Raises:
        InputError: A word is not of this form.
    """
    return _by_name(words, "--layer needs a layer and a ratio", "NAME=RATIO, such as conv1=0.3")


def parse_kind_ratios(words: Sequence[str]) -> dict[str, float]:
    """Ratios of kinds of channels, from words such as "heads=0.5".

    Raises:
        InputError: A word is not of this form, or a kind is unknown or named twice.
    """
    found = _by_name(
        words,
        "--prune needs a kind of channels and a ratio",
        f"KIND=RATIO, with one of the kinds {', '.join(KIND_NAMES)}",
        once=True,
    )
    for name in found:
        check_kind(name)
    return found


def parse_layer_alphas(words: Sequence[str]) -> dict[str, float]:
    """Alphas by kind of layer or by layer, from words such as "last_dense=1.2".

    Raises:
        InputError: A word is not of this form, or a layer is named twice.
    """
    return _by_name(
        words,
        "--layer-alpha needs a layer or a kind of layers, and an alpha",
        f"NAME=ALPHA, such as conv1=0.3, or one of the kinds {', '.join(KINDS)}",
        once=True,
    )


def _by_name(words: Sequence[str], what: str, allowed: str, once: bool = False) -> dict[str, float]:
    """Numbers by name, from words with an equals sign.

    Args:
        words: The words.
        what: What is said of a word of another form.
        allowed: The form.
        once: Whether a name that was given before is refused; else the last number counts.
    """
    found: dict[str, float] = {}
    for word in words:
        name, _, value = word.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            name, number = "", 0.0
        if not name or (once and name in found):
            raise InputError(
                what if not name else f"{name} is named twice", received=word, allowed=allowed
            )
        found[name] = number
    return found
