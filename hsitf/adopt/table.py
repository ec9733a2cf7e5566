"""What the verb prints of an adopted network."""

from __future__ import annotations

from hsitf.runs import Run
from hsitf.tables import format_table


def format_adopted(run: Run) -> str:
    """Formats what was adopted: accuracy, what was understood, and what was changed."""
    record, adopted = run.record, run.record.adopted
    if adopted is None:
        raise ValueError("the record is of a network that was trained here")
    scene, scores, split = record.scene, record.scores, record.split
    synthetic = ", a synthetic scene" if scene.synthetic else ""
    title = (
        f"{record.plan.network} on {scene.name}{synthetic}: {split.test:,} test pixels, "
        f"{split.summary}"
    )
    error = adopted.output_error
    compared = "" if error is None else f", outputs differ by {error:.1e} at most"
    head = ("source", f"{adopted.source} ({adopted.framework}{compared})")
    rows = [
        ("inputs", "; ".join(adopted.inputs)),
        ("preprocessing", adopted.preprocessing),
        ("classes", f"{len(scene.class_names)}, {len(adopted.class_order)} outputs"),
        ("parameters", f"{record.parameters:,}"),
        ("OA", f"{scores.oa:.2%}"),
        ("AA", f"{scores.aa:.2%}"),
        ("kappa", f"{scores.kappa:.4f}"),
    ]
    notes = [f"Note: {remark}." for remark in adopted.remarks]
    if split.leakage_patch is None:
        notes.append(
            "Which pixels it was trained on is not known here: give their map with --split fixed "
            "--train-map to measure the accuracy on others."
        )
    return "\n".join(
        [title, format_table(head, rows, text_columns=2), *notes, f"Run: {run.folder}."]
    )
