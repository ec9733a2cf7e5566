"""How long candidates take, and how many epochs they get."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from hsitf.compress.request import MAX_STEPS, STEP, CompressionRequest, SearchOptions
from hsitf.records import RunRecord

# Part of an epoch's time that does not shrink with the network: patches are gathered, and spectra
# are changed.
_FIXED_SHARE = 0.3
# Seconds of a candidate beside its epochs: proposals, compilation, its file and what that is like.
_OVERHEAD = 30.0
# Share of the time that the path gets; the rest is for steps between, and for exporting.
_PATH_SHARE = 0.7
# A path as long as most are.
_USUAL_STEPS = 6
# A teacher shows as many unlabelled pixels as there are labelled ones.
_DISTILLED = 2.0
# Seconds of an epoch where nobody measured them: an adopted network.
_UNKNOWN_EPOCH = 10.0
LEAST_EPOCHS, MOST_EPOCHS = 3, 40


@dataclass(frozen=True, eq=False)
class SearchClock:
    """How long a search may go on.

    Attributes:
        seconds: Time of the search.
        epoch_seconds: Time of an epoch of the original network in fine-tuning.
        begin: When it began, in seconds of the monotonic clock.
    """

    seconds: float
    epoch_seconds: float
    begin: float = field(default_factory=time.monotonic)

    @property
    def spent(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self.begin

    def allows(self, share: float, epochs: int) -> bool:
        """Whether a candidate of so much of the original's cost would be finished in time.

        Args:
            share: Share of the original's cost.
            epochs: Epochs of fine-tuning, those of all learning rates that are tried.
        """
        return self.spent + candidate_seconds(share, epochs, self.epoch_seconds) <= self.seconds


def candidate_seconds(share: float, epochs: int, one_epoch: float) -> float:
    """Estimated time of one candidate.

    Args:
        share: Share of the original's cost that it has.
        epochs: Epochs of fine-tuning.
        one_epoch: Time of an epoch of the original network in fine-tuning.
    """
    return epochs * one_epoch * (_FIXED_SHARE + (1 - _FIXED_SHARE) * share) + _OVERHEAD


def path_shares() -> list[float]:
    """Shares of the original's cost along a path, falling."""
    return [STEP**number for number in range(1, MAX_STEPS + 1)]


def epoch_seconds(record: RunRecord, options: SearchOptions) -> float:
    """Estimated time of an epoch of the original network in fine-tuning."""
    epochs = len(record.history)
    trained = record.seconds / epochs if epochs and record.seconds else _UNKNOWN_EPOCH
    return trained * (_DISTILLED if options.distill else 1.0)


def default_epochs(minutes: float, one_epoch: float) -> int:
    """Epochs of fine-tuning of a candidate, such that a path of usual length fits into the time."""
    per_epoch = sum(
        candidate_seconds(share, 1, one_epoch) - _OVERHEAD for share in path_shares()[:_USUAL_STEPS]
    )
    left = _PATH_SHARE * 60 * minutes - _USUAL_STEPS * _OVERHEAD
    return min(MOST_EPOCHS, max(LEAST_EPOCHS, int(left / per_epoch)))


def format_schedule(record: RunRecord, request: CompressionRequest) -> str:
    """What a search would try, and about how long that takes."""
    options = request.options
    one_epoch = epoch_seconds(record, options)
    epochs = options.epochs or default_epochs(request.minutes, one_epoch)
    steered = request.bounds.steered_by
    lines = [
        f"{record.plan.network} on {record.scene.name}: {request.bounds.text}",
        f"The {options.variant} file of the original is measured first.",
        f"Each cut is fine-tuned for {epochs} epochs; the path ends where two networks in a row "
        "lose too much.",
    ]
    total = 0.0
    for number, share in enumerate(path_shares()):
        tried = 1 if number else len(options.rate_shares)
        seconds = candidate_seconds(share, tried * epochs, one_epoch)
        total += seconds
        late = total > 60 * request.minutes
        lines.append(
            f"  cut to {share:6.1%} of the {steered}: about {seconds:4.0f} s, {total / 60:5.1f} "
            f"minutes in all{', beyond --minutes' if late else ''}"
        )
    lines.append("Then up to two cuts between the last good and the first bad one.")
    return "\n".join(lines)
