"""What a user wants explained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hsitf.errors import InputError
from hsitf.explain.methods import ExplanationMethod, MethodSettings

# Test pixels of a class that its mean is taken over, and of a file without gradients.
MAX_SAMPLES, MAX_SAMPLES_OF_FILE = 200, 10


@dataclass(frozen=True)
class ExplanationOptions:
    """What to explain, how, and what to show of it.

    Attributes:
        method: The explanation method.
        settings: Settings of the method.
        pixel: (row, col) in the scene; None for means over test pixels.
        class_name: Class whose logit is explained; empty for the predicted class of the pixel, or
            for every class in turn.
        filters: Filters of the layer, for `activation`; empty for all logits, or the first filters
            of another layer.
        max_samples: Test pixels per class to average over; None for `MAX_SAMPLES`.
        map_bands: Bands or components whose maps are drawn; empty for ten of them.
        num_top_bands: Number of most important bands to report.
        min_band_distance: Smallest difference of the indices of two reported bands.
        name: Name of the record and figures; derived from the other options where empty.
        folder: Folder of the record and figures; beside the first network where None.
    """

    method: ExplanationMethod
    settings: MethodSettings
    pixel: tuple[int, int] | None = None
    class_name: str = ""
    filters: tuple[int, ...] = ()
    max_samples: int | None = None
    map_bands: tuple[int, ...] = ()
    num_top_bands: int = 10
    min_band_distance: int = 1
    name: str = ""
    folder: Path | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        ranges = {
            "--max-samples": (self.max_samples, 1),
            "--top": (self.num_top_bands, 1),
            "--min-distance": (self.min_band_distance, 1),
            "--copies": (settings.num_samples, 1),
            "--window": (settings.window, 1),
            "--iterations": (settings.iterations, 1),
            "--noise": (settings.noise_level, 0),
        }
        for option, (value, least) in ranges.items():
            if value is not None and not least <= value < 10**6:
                raise InputError(
                    f"{option} is out of range", received=value, allowed=f"{least} to 999,999"
                )
        self._check_parts()

    def _check_parts(self) -> None:
        looks_at_filters = self.method.explains == "filters"
        if looks_at_filters and (self.pixel is not None or self.class_name):
            raise InputError(
                f"{self.method.name} is of a filter, whatever the pixel",
                received="--pixel or --class",
                remedy="name --layer and --filter; the filters of the last layer are the classes",
            )
        if self.filters and not looks_at_filters:
            raise InputError(
                f"{self.method.name} explains logits",
                received="--filter",
                remedy="take --method activation, or name a weight with --weight",
            )
        if self.settings.layer and not self.method.takes_layer:
            raise InputError(
                f"{self.method.name} looks at no layer",
                received=f"--layer {self.settings.layer}",
                remedy="take --method activation or grad-cam, or name a weight with --weight",
            )
        if self.map_bands and not self.method.spectral:
            raise InputError(
                f"{self.method.name} has one map, of all bands",
                received=f"--show {','.join(map(str, self.map_bands[:5]))}",
                remedy="leave --show out, or take --method saliency",
            )
        if (self.method.name == "weight") != bool(self.settings.weight):
            raise InputError(
                "the method weight needs --weight, and only it does",
                received=f"--method {self.method.name}, --weight {self.settings.weight or 'none'}",
                allowed="--method weight --weight LAYER/WEIGHT such as dense1/bias",
            )

    @property
    def label(self) -> str:
        """Short name for its files."""
        if self.name:
            return self.name
        settings, parts = self.settings, [self.method.name]
        parts += [settings.layer, settings.weight.replace("/", "-")]
        parts += [f"filter{number}" for number in self.filters[:3]]
        parts += [f"row{self.pixel[0]}-col{self.pixel[1]}"] if self.pixel else []
        parts += ["".join(c if c.isalnum() else "-" for c in self.class_name).lower()]
        return "-".join(filter(None, parts))


def parse_pixel(text: str) -> tuple[int, int]:
    """Row and column of a text such as "12,40".

    Raises:
        InputError: It is not a pair of numbers.
    """
    try:
        row, col = (int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            "the pixel cannot be parsed", received=text, allowed="ROW,COL such as 12,40"
        ) from None
    return row, col


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """The numbers of a text such as "0,10,20", each once.

    Raises:
        InputError: It is not a list of numbers.
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
