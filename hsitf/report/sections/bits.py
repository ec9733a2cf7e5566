"""Networks in few bits, and which layers that hurts."""

from __future__ import annotations

from hsitf.report.document import Block, Section, Table
from hsitf.report.material import Material
from hsitf.report.words import percent, points, size


def section(material: Material) -> Section | None:
    """Simulated bits, and each layer by itself. A study's bits stand with its grids."""
    blocks: list[Block] = []
    for place, one in enumerate(() if material.study else material.bits, start=1):
        rows = tuple(
            (
                str(cell.bits),
                percent(cell.oa),
                points(cell.oa - one.oa),
                percent(cell.agreement),
                percent(cell.most_saturated[1]),
                cell.most_saturated[0] or "-",
                size(cell.weight_bytes),
            )
            for cell in one.cells
        )
        head = (
            "activations, weights, accumulators",
            "OA",
            "change",
            "agreement",
            "saturated at most",
            "in",
            "weights",
        )
        blocks.append(
            Table(
                f"bits-{place}",
                f"{one.network} simulated in few bits on {one.pixels:,} test "
                f"pixels; in floats {percent(one.oa)}.",
                head,
                rows,
            )
        )
    for place, found in enumerate(material.layers, start=1):
        layers = tuple(
            (
                layer.name,
                f"{layer.weights:,}",
                f"{layer.range[0]:.3g} to {layer.range[1]:.3g}",
                f"{layer.scale:.3g}",
                f"{layer.snr_alone:.1f}",
                percent(layer.agreement_alone),
                percent(layer.clipped),
                str(layer.accumulator or "-"),
            )
            for layer in found.layers
        )
        columns = (
            "layer",
            "weights",
            "range",
            "scale",
            "SNR at the logits, dB",
            "agreement",
            "clipped",
            "accumulator bits",
        )
        blocks.append(
            Table(
                f"layers-{place}",
                f"{found.network} in {found.bits} bits, each layer by itself: "
                "where accuracy is lost.",
                columns,
                layers,
            )
        )
    return Section("bits", "Few bits", tuple(blocks)) if blocks else None
