"""A remark on validation pixels that are too few to choose by."""

from __future__ import annotations

from hsitf.records import RunRecord

# With so many pixels of a class, the accuracy of the class is known to about 18 points: half the
# 95 % interval of a share of one half, 1.96 * sqrt(0.25 / 30).
FEW_PIXELS = 30


def small_validation_remark(record: RunRecord) -> str:
    """Names the classes with fewer than `FEW_PIXELS` validation pixels; empty where none has.

    Where there are no validation pixels at all, nothing was chosen by them.
    """
    counts = record.split.validation_per_class
    few = [
        f"{name} ({count})"
        for name, count in zip(record.scene.class_names, counts, strict=False)
        if count < FEW_PIXELS
    ]
    if not any(counts) or not few:
        return ""
    return f"Validation on fewer than {FEW_PIXELS} pixels of {', '.join(few)}: a weak basis."
