"""Boxes as a picture shows them: layers of networks, operators of files."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.draw.plan import LayerBox, NetworkDiagram


@dataclass(frozen=True)
class DrawnBox:
    """A box of a drawing.

    Attributes:
        title: Upper left, in bold.
        corner: Upper right.
        lines: Lines below; the last is gray.
        inputs: Indices of the boxes that lines come from.
        row: Row from the top.
        family: convolution, dense or pooling, which have a color; empty for others.
        width: Channels of a layer; None where none are compared.
        original_width: The same before thinning.
    """

    title: str
    corner: str
    lines: tuple[str, ...]
    inputs: tuple[int, ...]
    row: int
    family: str = ""
    width: int | None = None
    original_width: int | None = None


_FAMILIES = (("Conv", "convolution"), ("Dense", "dense"), ("Pool", "pooling"))


def network_boxes(diagram: NetworkDiagram) -> list[DrawnBox]:
    """The boxes of a network's layers."""
    return [
        DrawnBox(
            box.name[:34],
            " x ".join(map(str, box.shape)),
            (", ".join((box.kind, *box.followers))[:72], _cost(box)),
            box.inputs,
            box.row,
            next((family for part, family in _FAMILIES if part in box.kind), ""),
            box.width,
            box.original_width,
        )
        for box in diagram.boxes
    ]


def _cost(box: LayerBox) -> str:
    parts = [f"{box.parameters:,} parameters"] if box.parameters else []
    parts += [f"{box.macs:,} MACs"] if box.macs else []
    return ", ".join(parts)
