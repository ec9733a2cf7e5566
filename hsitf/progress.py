"""How long work tells what it is doing; the command line draws it, a library stays silent."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of tasks that take time, one after the other."""

    def start(self, task: str, total: int) -> None:
        """A task of `total` steps begins."""

    def advance(self, steps: int = 1, note: str = "", left: float | None = None) -> None:
        """So many steps are done; `note` is what there is to say now.

        `left` is how many seconds are left, where the caller knows better than by counting steps.
        """

    def say(self, text: str) -> None:
        """A line for the user that stays."""


class Silent:
    """Progress that nobody looks at."""

    def start(self, task: str, total: int) -> None:
        """Nothing."""

    def advance(self, steps: int = 1, note: str = "", left: float | None = None) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""
