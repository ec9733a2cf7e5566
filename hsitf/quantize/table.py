"""Bit studies and layers in few bits as plain text."""

from __future__ import annotations

from hsitf.quantize.record import NOISELESS, Cell, Sensitivity, Study
from hsitf.quantize.schemes import Bits, needed
from hsitf.tables import aligned


def table(study: Study) -> str:
    """One line a triple, under the float network."""
    head = (
        "bits a,w,acc",
        "OA",
        "change",
        "AA",
        "kappa",
        "agreement",
        "saturated",
        "in layer",
        "acc needed",
        "weights",
        "/ float32",
    )
    rows: list[tuple[str, ...]] = [
        (
            "float",
            f"{study.oa:.2%}",
            "",
            f"{study.aa:.2%}",
            f"{study.kappa:.4f}",
            "",
            "",
            "",
            "",
            f"{study.float_bytes:,}",
            "1.000",
        )
    ]
    rows += [_row(study, cell) for cell in study.cells]
    synthetic = ", a synthetic scene" if study.synthetic else ""
    scheme = study.order.scheme
    title = (
        f"{study.network} on {study.scene}{synthetic}, {study.pixels:,} test pixels: linear "
        f"quantization, simulated; weights by {scheme.weights}, activations {scheme.activations}, "
        f"ranges by {scheme.method}"
    )
    footer = (
        "saturated: sums that did in the layer where most did. acc needed: bits with which none "
        "can, in the layer of the longest sums."
    )
    return "\n".join([title, aligned(head, rows), footer, f"Trained network: {study.run}."])


def _row(study: Study, cell: Cell) -> tuple[str, ...]:
    layer, share = cell.most_saturated
    return (
        str(cell.bits),
        f"{cell.oa:.2%}",
        f"{100 * (cell.oa - study.oa):+.2f}",
        f"{cell.aa:.2%}",
        f"{cell.kappa:.4f}",
        f"{cell.agreement:.2%}",
        f"{share:.2%}",
        layer if share else "",
        str(_widest(study, cell.bits)),
        f"{cell.weight_bytes:,}",
        f"{cell.weight_bytes / study.float_bytes:.3f}",
    )


def _widest(study: Study, bits: Bits) -> int:
    return max((needed(bits, count) for count in study.products.values() if count), default=0)


def layer_table(found: Sensitivity) -> str:
    """One line a layer, in the order of the forward pass."""
    head = (
        "layer",
        "weights",
        "weights from",
        "to",
        "output from",
        "to",
        "step",
        "its dB",
        "alone dB",
        "alone OA",
        "clipped",
        "saturated",
        "acc needed",
    )
    rows = [
        (
            x.name,
            f"{x.weights:,}",
            f"{x.weight_range[0]:.3g}",
            f"{x.weight_range[1]:.3g}",
            f"{x.range[0]:.3g}",
            f"{x.range[1]:.3g}",
            f"{x.scale:.3g}",
            _decibels(x.snr),
            _decibels(x.snr_alone),
            f"{100 * (x.oa_alone - found.oa_float):+.2f}",
            f"{x.clipped:.2%}",
            f"{x.saturated:.2%}",
            str(x.accumulator or "-"),
        )
        for x in found.layers
    ]
    synthetic = ", a synthetic scene" if found.synthetic else ""
    title = (
        f"{found.network} on {found.scene}{synthetic} in ({found.bits}) bits: OA {found.oa:.2%}, "
        f"float {found.oa_float:.2%}, {found.pixels:,} test pixels; logits {found.snr:.1f} dB"
    )
    footer = (
        "its dB: signal to noise of the layer's output with all layers rounded. alone: of the "
        "logits, and the change of OA, with this layer rounded alone."
    )
    return "\n".join([title, aligned(head, rows), footer, f"Trained network: {found.run}."])


def _decibels(value: float) -> str:
    return "exact" if value >= NOISELESS else f"{value:.1f}"
