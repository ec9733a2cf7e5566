"""The card of a trained network: its record, told to people."""

from __future__ import annotations

from hsitf.records import RunRecord


def card(record: RunRecord) -> str:
    """A run's record as a page of Markdown."""
    plan, split, scores = record.plan, record.split, record.scores
    synthetic = " This scene is synthetic: the numbers say nothing of a real one."
    lines = [
        f"# {plan.network} on {record.scene.name}",
        "",
        f"{record.paper}.",
        "",
        f"Takes patches of {plan.patch} x {plan.patch} pixels and {record.scene.shape[2]} bands, "
        f"normalized band by band as `record.json` says, and returns {len(scores.support)} logits. "
        f"{record.parameters:,} parameters.",
        "",
        "## What it is worth",
        "",
        f"Measured on {split.test:,} test pixels of {record.scene.name}, {split.kind} split."
        + (synthetic if record.scene.synthetic else ""),
        "",
        "| measure | value |",
        "|---|---|",
        f"| overall accuracy | {scores.oa:.2%} |",
        f"| average accuracy | {scores.aa:.2%} |",
        f"| kappa | {scores.kappa:.4f} |",
        f"| test pixels with a training pixel in their patch | {split.leakage_pixel:.1%} |",
        f"| test pixels whose patch touches a training patch | {split.leakage_patch:.1%} |",
        "",
        "| class | test pixels | accuracy | F1 |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {count:,} | {accuracy:.2%} | {f1:.2%} |"
        for name, count, accuracy, f1 in zip(
            record.scene.class_names, scores.support, scores.per_class, scores.f1, strict=True
        )
    ]
    best = record.history[record.best_epoch - 1]
    turned = ", patches turned at random" if plan.turn and plan.patch > 1 else ""
    lines += [
        "",
        "## How it was trained",
        "",
        f"{split.train:,} training and {split.validation:,} validation pixels, guard band of "
        f"{split.guard} pixels ({split.left_out:,} labelled pixels left out). "
        f"{plan.recipe.optimizer}, learning rate {plan.recipe.learning_rate:g}, batches of "
        f"{plan.recipe.batch}, {plan.recipe.epochs} epochs ({plan.schedule} schedule), seed "
        f"{plan.seed}{turned}. Best epoch {record.best_epoch} with {best.validation_oa:.2%} on the "
        f"validation pixels. {record.seconds:.0f} s, "
        f"{record.peak_memory / 1e9:.2f} GB at the peak.",
        "",
        "```",
        record.command,
        "```",
        "",
        "With " + ", ".join(f"{name} {version}" for name, version in record.versions.items()) + ".",
        "",
    ]
    return "\n".join(lines)
