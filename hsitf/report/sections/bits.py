"""Networks in few bits, and which layers that hurts."""

from __future__ import annotations

from hsitf.report.data import ReportData
from hsitf.report.document import Block, ReportTable, Section
from hsitf.report.formatting import percent, points, size


def section(data: ReportData) -> Section | None:
    """Simulated bits, and the sensitivity of each layer. A study's bits are in its grids."""
    blocks: list[Block] = []
    for number, one in enumerate(() if data.study else data.bits, start=1):
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
            "change, points",
            "agreement",
            "saturated at most",
            "in layer",
            "size of the weights",
        )
        blocks.append(
            ReportTable(
                f"bits-{number}",
                f"{one.network} simulated in few bits on {one.pixels:,} test "
                f"pixels; in floats {percent(one.oa)}.",
                head,
                rows,
            )
        )
    for number, found in enumerate(data.layers, start=1):
        layers = tuple(
            (
                layer.name,
                f"{layer.weights:,}",
                f"{layer.range[0]:.3g} to {layer.range[1]:.3g}",
                f"{layer.scale:.3g}",
                f"{layer.snr_alone:.1f}",
                percent(layer.agreement_alone),
                percent(layer.clipped),
                str(layer.required_accumulator_bits or "-"),
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
            ReportTable(
                f"layers-{number}",
                f"{found.network} in {found.bits} bits, each layer by itself: "
                "where accuracy is lost.",
                columns,
                layers,
            )
        )
    return Section("bits", "Quantization", tuple(blocks)) if blocks else None
