"""How a user wants labelled pixels split, checked when constructed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hsitf.errors import InputError, unknown

KINDS = ("disjoint", "random", "fixed", "images")
# Disjoint sets are regions all, and random ones are none.
HAS_NO_CHOICE = ("disjoint", "random")


@dataclass(frozen=True)
class SplitOptions:
    """How to split, checked when constructed.

    Attributes:
        kind: "disjoint" (separate regions with a guard band; in a scene of several images separate
            images), "random" (stratified by class), "fixed" (the training pixels are given as a
            label map) or "images" (separate images).
        train: The training side, validation included: a share of the labelled pixels, or for
            "random" also a number of pixels a class. None: 0.65 disjoint, 0.8 random.
        validation: Share of the training side used for validation, 0 for none.
        patch: Rows and cols of the patches, in pixels.
        validation_regions: Whether validation pixels are regions that no training patch touches, as
            those of a disjoint split always are. None: as the kind has it, which is so but for
            "random" and "fixed", where they are drawn from all training pixels.
        guard: Disjoint and images: pixels of different sets are further apart than this, in the
            larger of rows and cols; images are apart by any distance. None: `patch - 1`, the least
            at which no two patches from different sets share a pixel.
        seed: Seed of every draw.
        labelled: At most so many labelled pixels of each class train, and so many validate, drawn
            from those of the split; None for all. Test pixels are the same with any number.

    Raises:
        InputError: A value is out of range, or does not belong to this kind of split.
    """

    kind: str = "disjoint"
    train: float | int | None = None
    validation: float = 0.2
    patch: int = 1
    guard: int | None = None
    seed: int = 0
    validation_regions: bool | None = None
    labelled: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("split", self.kind, KINDS)
        if self.patch < 1:
            raise InputError("a patch has to hold a pixel", received=self.patch, allowed=">= 1")
        if not 0 <= self.validation < 1:
            raise InputError(
                "the validation share is out of range",
                received=self.validation,
                allowed="0 to below 1, a share of the training side",
            )
        if self.labelled is not None and self.labelled < 1:
            raise InputError(
                "the number of labelled pixels a class is out of range",
                received=self.labelled,
                allowed="1 or more",
            )
        self._check_train()
        self._check_guard()
        if self.validation_regions is (self.kind == "random") and self.kind in HAS_NO_CHOICE:
            raise InputError(
                f"a {self.kind} split has no choice of where it validates",
                received=f"validation_regions={self.validation_regions}",
                remedy="leave it out, or use --split fixed or images",
            )

    @property
    def validates_on_regions(self) -> bool:
        """Whether validation pixels lie apart from training pixels."""
        if self.validation_regions is None:
            return self.kind in ("disjoint", "images")
        return self.validation_regions

    def _check_train(self) -> None:
        if self.train is None:
            return
        if self.kind == "fixed":
            raise InputError(
                "a fixed split takes its training pixels from a label map",
                received=f"train={self.train}",
                remedy="leave the training share out",
            )
        per_class = isinstance(self.train, int)
        if per_class and self.kind in ("disjoint", "images"):
            raise InputError(
                f"{'a disjoint split' if self.kind == 'disjoint' else 'a split by image'} cannot "
                "promise a number of pixels a class",
                received=f"train={self.train}",
                allowed="a share between 0 and 1",
                remedy="give a share or use --split random",
            )
        if not (self.train >= 1 if per_class else 0 < self.train < 1):
            raise InputError(
                "the training side is out of range",
                received=self.train,
                allowed="a share between 0 and 1, or a whole number of pixels a class",
            )

    def _check_guard(self) -> None:
        if self.guard is None:
            return
        if self.kind not in ("disjoint", "images"):
            raise InputError(
                f"a {self.kind} split has no guard band",
                received=f"guard={self.guard}",
                remedy="leave the guard out or use --split disjoint",
            )
        if not self.validates_on_regions:
            raise InputError(
                "a split by image whose validation pixels are drawn has no guard band",
                received=f"guard={self.guard}",
                remedy="leave the guard out, or validate on regions (--validation-regions)",
            )
        if self.guard < 0:
            raise InputError("the guard is out of range", received=self.guard, allowed=">= 0")


def without_regions(options: SplitOptions) -> SplitOptions:
    """How a set of pictures is split, which has no regions.

    Raises:
        InputError: The options ask for a guard band, for regions, or for a split by image.
    """
    if options.kind == "images":
        raise InputError(
            "a set of pictures is not split by image",
            received="--split images",
            allowed="disjoint, random or fixed: no two pictures share a pixel in any of them",
            remedy="leave it out",
        )
    if options.guard is not None or (options.kind == "fixed" and options.validation_regions):
        raise InputError(
            "a set of pictures has no regions and no guard band",
            received="--guard or --validation-regions",
            remedy='leave it out; in a study, write split = "random"',
        )
    return replace(options, guard=0) if options.kind == "disjoint" else options
