"""Bit studies and layer sensitivities as plain text."""

from __future__ import annotations

from hsitf.quantize.record import NOISELESS_DB, BitStudy, BitStudyCell, SensitivityReport
from hsitf.quantize.schemes import Bits, required_accumulator_bits
from hsitf.tables import format_table


def format_bit_study(study: BitStudy) -> str:
    """Formats a bit study: one line per triple of bit widths, below the float network."""
    head = (
        "bits a,w,acc",
        "OA",
        "change",
        "AA",
        "kappa",
        "agreement",
        "saturated",
        "in layer",
        "accumulator bits",
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
    scheme = study.request.scheme
    title = (
        f"{study.network} on {study.scene}{synthetic}, {study.pixels:,} test pixels: linear "
        f"quantization, simulated; weights by {scheme.weights}, activations {scheme.activations}, "
        f"ranges by {scheme.range_estimator}"
    )
    footer = (
        "saturated: share of saturated sums in the layer with most of them. acc needed: "
        "accumulator bits with which no sum saturates, in the layer with the longest sums."
    )
    return "\n".join(
        [title, format_table(head, rows), footer, f"Trained network: {study.run_folder}."]
    )


def _row(study: BitStudy, cell: BitStudyCell) -> tuple[str, ...]:
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


def _widest(study: BitStudy, bits: Bits) -> int:
    return max(
        (
            required_accumulator_bits(bits, count)
            for count in study.products_per_sum.values()
            if count
        ),
        default=0,
    )


def format_sensitivity(report: SensitivityReport) -> str:
    """Formats a sensitivity report: one line per layer, in the order of the forward pass."""
    head = (
        "layer",
        "weights",
        "weights from",
        "weights to",
        "output from",
        "output to",
        "step",
        "its dB",
        "alone dB",
        "alone OA change",
        "clipped",
        "saturated",
        "accumulator bits",
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
            f"{100 * (x.oa_alone - report.oa_float):+.2f}",
            f"{x.clipped:.2%}",
            f"{x.saturated:.2%}",
            str(x.required_accumulator_bits or "-"),
        )
        for x in report.layers
    ]
    synthetic = ", a synthetic scene" if report.synthetic else ""
    title = (
        f"{report.network} on {report.scene}{synthetic} in ({report.bits}) bits: OA "
        f"{report.oa:.2%}, float {report.oa_float:.2%}, {report.pixels:,} test pixels; "
        f"logits {report.snr:.1f} dB"
    )
    footer = (
        "its dB: signal-to-noise ratio of the layer's output with all layers quantized. alone: of "
        "the logits, and the change of OA, with only this layer quantized."
    )
    return "\n".join(
        [title, format_table(head, rows), footer, f"Trained network: {report.run_folder}."]
    )


def _decibels(value: float) -> str:
    return "exact" if value >= NOISELESS_DB else f"{value:.1f}"
