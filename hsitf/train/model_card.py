"""The model card of a trained network: its record as readable text."""

from __future__ import annotations

from hsitf.records import PruningRecord, RunRecord
from hsitf.train.collapse import collapse_remark
from hsitf.train.small_validation import small_validation_remark


def model_card(record: RunRecord) -> str:
    """A run's record as a page of Markdown."""
    plan, split, scores = record.plan, record.split, record.scores
    synthetic = " This scene is synthetic: the numbers do not apply to real scenes."
    lines = [
        f"# {plan.network} on {record.scene.name}",
        "",
        *([f"{record.paper}.", ""] if record.paper else []),
        f"Takes patches of {plan.patch} x {plan.patch} pixels and {_inputs(record)} (see "
        f"`record.json`), and returns {len(scores.support)} logits. {record.parameters:,} "
        "parameters.",
        "",
        "## Accuracy",
        "",
        f"Measured on {split.test:,} test pixels of {record.scene.name}, {split.kind} split."
        + (synthetic if record.scene.synthetic else ""),
        "",
        "| measure | value |",
        "|---|---|",
        f"| overall accuracy | {scores.oa:.2%} |",
        f"| average accuracy | {scores.aa:.2%} |",
        *([] if scores.top5 is None else [f"| Top-5 accuracy | {scores.top5:.2%} |"]),
        f"| kappa | {scores.kappa:.4f} |",
        f"| test pixels with a training pixel in their patch | {_share(split.leakage_pixel)} |",
        f"| test pixels whose patch touches a training patch | {_share(split.leakage_patch)} |",
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
    for remark in (collapse_remark(record), small_validation_remark(record)):
        lines += ["", remark] if remark else []
    if record.adopted is not None:
        lines += _adopted(record)
        if record.pruning is None:
            return "\n".join([*lines, *_provenance(record)])
    augmented = (
        ", patches flipped and rotated at random" if plan.flip_rotate and plan.patch > 1 else ""
    )
    lines += [
        "",
        "## Training",
        "",
        f"{split.train:,} training and {split.validation:,} validation pixels, guard band of "
        f"{split.guard} pixels ({split.left_out:,} labelled pixels left out). "
        f"{plan.recipe.optimizer}, learning rate {plan.recipe.learning_rate:g}, batches of "
        f"{plan.recipe.batch_size}, {plan.recipe.epochs} epochs ({plan.schedule} schedule), seed "
        f"{plan.seed}{augmented}.{_robust(record)}{_unlabelled(record)} {_best(record)} "
        f"{record.seconds:.0f} s, {record.peak_memory / 1e9:.2f} GB at the peak.",
        "",
        *_pruned(record),
        *_provenance(record),
    ]
    return "\n".join(lines)


def _robust(record: RunRecord) -> str:
    """What the robust recipe, or options of it, did; empty where there was nothing of it."""
    plan, recipe = record.plan, record.plan.recipe
    values = {
        "decoupled weight decay": recipe.decoupled_weight_decay,
        "warm-up share": recipe.warmup,
        "label smoothing": recipe.label_smoothing,
        "epochs of averaged weights": recipe.ema_epochs,
        "mixup": plan.mixup,
        "balanced sampling": plan.balanced_sampling,
        "pseudo-labels from a probability of": plan.pseudo_labels,
        **{f"augmentation {name}": strength for name, strength in plan.augmentations},
    }
    words = [f"{name} {value:g}" for name, value in values.items() if value]
    if recipe.cosine_decay:
        words.append("cosine decay of the learning rate")
    if count := len(plan.teachers):
        known = ", ".join(one.sha256[:12] for one in plan.teachers)
        words.append(
            f"{count} teacher{'s' if count > 1 else ''} with a share of {plan.teacher_weight:g} in "
            f"the targets (SHA-256 {known})"
        )
    return f" Recipe {plan.recipe_name}: {', '.join(words)}." if words else ""


def _inputs(record: RunRecord) -> str:
    """What enters of a pixel, and what was computed of its bands before."""
    count, bands = record.components, record.plan.bands
    if record.adopted is None:
        inputs = f"{count} components ({bands} of the bands)" if bands else f"{count} bands"
        return f"{inputs}, normalized band by band"
    preprocessing = record.adopted.preprocessing
    if preprocessing == "none":
        return f"{count} bands as the scene has them, without preprocessing"
    inputs = f"{count} components" if bands else f"{count} bands"
    return f"{inputs}, preprocessed as it was adopted: {preprocessing}"


def _provenance(record: RunRecord) -> list[str]:
    return [
        "```",
        record.command,
        "```",
        "",
        "With " + ", ".join(f"{name} {version}" for name, version in record.versions.items()) + ".",
        "",
    ]


def _adopted(record: RunRecord) -> list[str]:
    """Where a network comes from that was trained elsewhere."""
    adopted = record.adopted
    assert adopted is not None
    known = record.split.leakage_patch is not None
    return [
        "",
        "## Origin",
        "",
        f"It was trained elsewhere ({adopted.framework}) and adopted from `{adopted.source}`. "
        f"Preprocessing: {adopted.preprocessing}. Inputs: {'; '.join(adopted.inputs)}."
        + (
            ""
            if known
            else " Which pixels it was trained on is not known: it may have seen the test pixels."
        ),
        "",
        *(f"- {remark}" for remark in adopted.remarks),
        *([""] if adopted.remarks else []),
    ]


def _share(leakage: float | None) -> str:
    return "not known: it was trained elsewhere" if leakage is None else f"{leakage:.1%}"


def _unlabelled(record: RunRecord) -> str:
    if record.unlabelled == 0:
        return ""
    return (
        " A decoder, which is not saved, was trained to reconstruct the spectra of these training "
        f"pixels and of {record.unlabelled:,} unlabelled pixels."
    )


def _best(record: RunRecord) -> str:
    if record.best_epoch == 0 and record.pruning is None:
        return ""
    if record.best_epoch == 0:
        return "No epoch was better on the validation pixels than the pruned network."
    best = record.history[record.best_epoch - 1]
    return f"Best epoch {record.best_epoch} with {best.validation_oa:.2%} on the validation pixels."


def _pruned(record: RunRecord) -> list[str]:
    """How the network was pruned; empty where it was not."""
    pruning = record.pruning
    if pruning is None:
        return []
    before, after = pruning.before, pruning.after
    exact = "; ".join(pruning.approximate)
    size = f"{before.parameters:,} parameters"
    origin = f"pruned from `{pruning.origin}` ({size}, OA {before.oa:.2%})"
    if pruning.untrained:
        origin = f"pruned before it was trained, from {size}"
    return [
        f"It was {origin}: {pruning.target}, {pruning.kind} selected by {pruning.criterion}, "
        f"{pruning.schedule}. {after.macs / before.macs:.1%} of the multiply-accumulates and "
        f"{after.parameters / before.parameters:.1%} of the parameters remain."
        + (f" Approximate: {exact}." if exact else "")
        + _distilled(pruning),
        "",
    ]


def _distilled(pruning: PruningRecord) -> str:
    """How a pruned network was taught; empty where it learned from labels alone."""
    taught = pruning.distillation
    if taught is None:
        return ""
    pixels = "training pixels"
    if taught.unlabelled:
        pixels += f" and {taught.unlabelled:,} unlabelled pixels"
    return (
        f" `{taught.teacher.folder}` (SHA-256 {taught.teacher.sha256[:12]}) taught it on {pixels}, "
        f"at temperature {taught.temperature:g} and with a share of {taught.teacher_weight:g} "
        "beside labels."
    )
