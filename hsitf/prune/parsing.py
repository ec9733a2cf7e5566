"""What a user asks to be pruned, read from the words of a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hsitf.errors import InputError


def parse_targets(
    given: Mapping[str, float | None], curve: str | None, layers: bool
) -> tuple[str, tuple[float, ...]]:
    """The requested measure and its targets: several for a curve.

    Args:
        given: The value that the user gave for each measure; None where there is none.
        curve: Several targets of the measure, such as "0.2,0.4"; the measure's own value is then
            ignored.
        layers: Whether ratios of single layers were given, which do not need one for all layers.

    Raises:
        InputError: No measure or several measures, or a value that is not a number.
    """
    named = [name for name, value in given.items() if value is not None]
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
    found = {}
    for word in words:
        name, _, value = word.rpartition("=")
        try:
            found[name] = float(value)
        except ValueError:
            name = ""
        if not name:
            raise InputError(
                "--layer needs a layer and a ratio",
                received=word,
                allowed="NAME=RATIO, such as conv1=0.3",
            )
    return found
