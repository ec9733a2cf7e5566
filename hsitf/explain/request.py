"""What a user wants explained."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.errors import InputError


@dataclass(frozen=True)
class Request:
    """Which pixels, by which method.

    Attributes:
        method: Name in `methods.METHODS`.
        pixel: Row and column; None where a class is meant.
        of_class: Name of a class, whose test pixels are explained together; of all classes
            where this and `pixel` are None.
        most: Test pixels a class at most, drawn evenly.
        top: Bands to name.
        shown: Bands whose maps are drawn; every tenth where empty.
    """

    method: str
    pixel: tuple[int, int] | None = None
    of_class: str | None = None
    most: int = 200
    top: int = 10
    shown: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.pixel is not None and self.of_class is not None:
            raise InputError(
                "a pixel and a class cannot be explained at once",
                received="--pixel and --class", remedy="give one of them",
            )  # fmt: skip
        for name in ("most", "top"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} is out of range", received=getattr(self, name), allowed="1 or more"
                )


def pixel(text: str | None) -> tuple[int, int] | None:
    """Reads "row,col".

    Raises:
        InputError: It is no pair of whole numbers.
    """
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdigit() for part in parts):
        raise InputError("a pixel is row,col", received=text, allowed="such as 40,52")
    return int(parts[0]), int(parts[1])


def bands(text: str | None) -> tuple[int, ...]:
    """Reads "0,10,20".

    Raises:
        InputError: It is no list of whole numbers.
    """
    if text is None:
        return ()
    parts = text.split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise InputError("bands are whole numbers", received=text, allowed="such as 0,10,20")
    return tuple(int(part) for part in parts)
