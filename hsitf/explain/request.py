"""What a user wants explained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hsitf.errors import InputError
from hsitf.explain.methods import Method, Settings

# Test pixels of a class that its mean is taken over, and of a file without gradients.
MOST, MOST_OF_FILE = 200, 10


@dataclass(frozen=True)
class Ask:
    """What to explain, how, and what to show of it.

    Attributes:
        method: How.
        settings: Of the method.
        pixel: (row, col) in the scene; None for means over test pixels.
        class_name: Whose logit; empty for the class that the network names at the pixel, or for
            every class in turn.
        filters: Of the layer, for `activation`; none for all of the logits, or the first of
            another layer.
        most: Test pixels of a class that its mean is taken over; None for `MOST`.
        columns: Bands or components whose maps are drawn; none for ten of them.
        top: How many bands to name.
        apart: Bands between two of them at least.
        name: Of the record and figures; told from the rest where empty.
        folder: Of the record and figures; beside the first network where None.
    """

    method: Method
    settings: Settings
    pixel: tuple[int, int] | None = None
    class_name: str = ""
    filters: tuple[int, ...] = ()
    most: int | None = None
    columns: tuple[int, ...] = ()
    top: int = 10
    apart: int = 1
    name: str = ""
    folder: Path | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        ranges = {
            "--most": (self.most, 1),
            "--top": (self.top, 1),
            "--apart": (self.apart, 1),
            "--copies": (settings.copies, 1),
            "--window": (settings.window, 1),
            "--iterations": (settings.iterations, 1),
            "--noise": (settings.noise, 0),
        }
        for option, (value, least) in ranges.items():
            if value is not None and not least <= value < 10**6:
                raise InputError(
                    f"{option} is out of range", received=value, allowed=f"{least} to 999,999"
                )
        self._check_parts()

    def _check_parts(self) -> None:
        looks_at_filters = self.method.sees == "filters"
        if looks_at_filters and (self.pixel is not None or self.class_name):
            raise InputError(
                f"{self.method.name} is of a filter, whatever the pixel",
                received="--pixel or --class",
                remedy="name --layer and --filter; the filters of the last layer are the classes",
            )
        if not looks_at_filters and (self.settings.layer or self.filters):
            raise InputError(
                f"{self.method.name} explains logits",
                received="--layer or --filter",
                remedy="take --method activation, or name a weight with --weight",
            )
        if (self.method.name == "weight") != bool(self.settings.weight):
            raise InputError(
                "the method weight and --weight go together",
                received=f"--method {self.method.name}, --weight {self.settings.weight or 'none'}",
                allowed="--method weight --weight LAYER/WEIGHT such as dense1/bias",
            )

    @property
    def label(self) -> str:
        """What its files are told apart by."""
        if self.name:
            return self.name
        settings, parts = self.settings, [self.method.name]
        parts += [settings.layer, settings.weight.replace("/", "-")]
        parts += [f"filter{number}" for number in self.filters[:3]]
        parts += [f"row{self.pixel[0]}-col{self.pixel[1]}"] if self.pixel else []
        parts += ["".join(c if c.isalnum() else "-" for c in self.class_name).lower()]
        return "-".join(filter(None, parts))


def pixel(text: str) -> tuple[int, int]:
    """Row and column of a text such as "12,40".

    Raises:
        InputError: It is no such pair.
    """
    try:
        row, col = (int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            "the pixel cannot be read", received=text, allowed="ROW,COL such as 12,40"
        ) from None
    return row, col


def numbers(text: str, option: str) -> tuple[int, ...]:
    """The numbers of a text such as "0,10,20", each once.

    Raises:
        InputError: It is no such list.
    """
    try:
        found = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        found = (-1,)
    if min(found) < 0:
        raise InputError(
            f"{option} is no list of numbers", received=text, allowed="such as 0,10,20"
        )
    return found
