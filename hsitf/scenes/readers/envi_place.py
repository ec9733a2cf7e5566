"""The place of an ENVI header: `map info` with its datum, and the coordinate system string."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hsitf.scenes.metadata import Georeference


@dataclass(frozen=True)
class Datum:
    """A datum as `map info` names it, and its codes in the EPSG registry.

    Attributes:
        spellings: Beginnings of its name, in small letters and without punctuation.
        geographic: Code of the system of latitude and longitude.
        north: What the zone of UTM is added to, for the north; `zones` holds for both.
        south: Likewise for the south; None where the registry has none.
        zones: First and last zone of UTM that the registry has.
    """

    spellings: tuple[str, ...]
    geographic: int
    north: int | None
    south: int | None = None
    zones: tuple[int, int] = (1, 60)

    def utm(self, zone: int, south: bool) -> int | None:
        """The code of a zone of UTM; None where the registry has none."""
        base = self.south if south else self.north
        inside = self.zones[0] <= zone <= self.zones[1]
        return base + zone if base is not None and inside else None


# Codes of the EPSG registry; zones are those in use on the datum.
_DATUMS = (
    Datum(("wgs84", "wgs1984"), 4326, 32600, 32700),
    Datum(("wgs72", "wgs1972"), 4322, 32200, 32300),
    Datum(
        ("northamerica1983", "northamerican1983", "nad83", "nad1983"), 4269, 26900, None, (1, 23)
    ),
    Datum(
        ("northamerica1927", "northamerican1927", "nad27", "nad1927"), 4267, 26700, None, (1, 22)
    ),
    Datum(("european1950", "ed50", "europeandatum1950"), 4230, 23000, None, (28, 38)),
    Datum(("etrs89", "etrs1989", "europeanterrestrial"), 4258, 25800, None, (28, 37)),
    Datum(("gda94", "geocentricdatumofaustralia1994"), 4283, None, 28300, (48, 58)),
)


def place_of(header: Mapping[str, str]) -> tuple[Georeference, tuple[str, ...]]:
    """The place of `map info`: a reference pixel, pixel sizes, a rotation, and the system.

    Args:
        header: Fields of an ENVI header by their names in small letters.

    Returns:
        The place, and a note where its coordinate system is not known here.
    """
    info = _items(header.get("map info", ""))
    if len(info) < 7:
        return Georeference(), ()
    col, row, x, y, width, height = (float(part) for part in info[1:7])
    angle = next((part.split("=")[1] for part in info if part.lower().startswith("rotation")), "0")
    turn = math.radians(float(angle))
    # Turned about the reference pixel, counted from 1 at the upper left corner of the first.
    a, b = width * math.cos(turn), height * math.sin(turn)
    d, e = width * math.sin(turn), -height * math.cos(turn)
    c, f = x - a * (col - 1) - b * (row - 1), y - d * (col - 1) - e * (row - 1)
    system, notes = _system(header, info)
    return Georeference(system, (a, b, c, d, e, f)), notes


def _items(text: str) -> list[str]:
    inside = text.strip().removeprefix("{").removesuffix("}")
    return [part.strip() for part in inside.split(",")] if inside.strip() else []


def _system(header: Mapping[str, str], info: list[str]) -> tuple[str, tuple[str, ...]]:
    """The coordinate reference system as WKT, empty where unknown, and a note on that."""
    from rasterio.crs import CRS

    text = header.get("coordinate system string", "").strip().removeprefix("{").removesuffix("}")
    text = text.strip() or _code(info)
    kind = info[0]
    # A picture whose coordinates are those of no system.
    if not text and kind.lower() == "arbitrary":
        return "", ()
    try:
        if text:
            return str(CRS.from_string(text).to_wkt()), ()
    # Some texts are read by other readers first, whose errors are their own.
    except (TypeError, ValueError):
        pass
    named = ", ".join(info[7:]) or "no datum"
    return "", (
        f"The coordinate system of the map info ({kind}, {named}) is not known here, so that maps "
        "have none: a 'coordinate system string' in the header gives it.",
    )


def _code(info: list[str]) -> str:
    """The EPSG code of UTM or of latitude and longitude on a known datum; empty for others."""
    kind = info[0].lower()
    names = ["".join(c for c in part.lower() if c.isalnum()) for part in info[7:]]
    datum = next((one for one in _DATUMS if any(n.startswith(one.spellings) for n in names)), None)
    if datum is None:
        return ""
    if kind.startswith("geographic"):
        return f"EPSG:{datum.geographic}"
    if kind == "utm" and len(info) > 8:
        code = datum.utm(int(float(info[7])), info[8].lower().startswith("s"))
        return "" if code is None else f"EPSG:{code}"
    return ""
