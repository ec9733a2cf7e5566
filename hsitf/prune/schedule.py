"""Pruning schedules: how much goes, and how long is fine-tuned, in each iteration."""

from __future__ import annotations

from hsitf.errors import InputError

# How often something is cut, unless the user says so.
DEFAULT_ITERATIONS = {"one-shot": 1, "iterative": 4, "gradual": 8}


def check_schedule(schedule: str) -> None:
    """Refuses a pruning schedule that does not exist.

    Raises:
        InputError: It does not.
    """
    if schedule not in DEFAULT_ITERATIONS:
        raise InputError(
            "unknown pruning schedule", received=schedule, allowed=", ".join(DEFAULT_ITERATIONS)
        )


def check_iterations(schedule: str, iterations: int, epochs: int) -> None:
    """Refuses a number of iterations that a schedule or its epochs have no room for.

    Raises:
        InputError: They have not.
    """
    if not 1 <= iterations <= epochs or (schedule == "one-shot" and iterations != 1):
        raise InputError(
            f"this number of iterations is not possible for schedule {schedule}",
            received=f"{iterations} iterations in {epochs} epochs",
            allowed="1 for one-shot, else up to one per epoch",
            remedy="give other --iterations, more --epochs or --schedule iterative",
        )


def removed_share(schedule: str, iteration: int, iterations: int) -> float:
    """Share of the total removal that is done after an iteration, counted from 1.

    Equal steps, or for gradual pruning 1 - (1 - i / n)^3 (Zhu, Gupta, 2018).
    """
    share = iteration / iterations
    return 1 - (1 - share) ** 3 if schedule == "gradual" else share


def epochs_of(schedule: str, iteration: int, iterations: int, epochs: int) -> int:
    """Epochs of fine-tuning after an iteration, counted from 1.

    Iterations share the epochs equally; in gradual pruning the last one has half of them.
    """
    last = epochs - epochs // 2 if schedule == "gradual" and iterations > 1 else 0
    others = iterations - 1 if last else iterations
    if last and iteration == iterations:
        return last
    each, over = divmod(epochs - last, others)
    return max(1, each + (1 if iteration <= over else 0))
