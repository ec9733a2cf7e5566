"""Progress of long computations; the command line draws it, the library is silent by default."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Protocol


class Progress(Protocol):
    """Receives the progress of long tasks, one after another."""

    def start(self, task: str, total: int) -> None:
        """Starts a task of `total` steps."""

    def advance(self, steps: int = 1, note: str = "", eta: float | None = None) -> None:
        """Advances by a number of steps; `note` is the current status text.

        `eta` is the remaining time in seconds, where the caller has a better estimate than the
        count.
        """

    def say(self, text: str) -> None:
        """Shows a message that stays visible."""


class Silent:
    """Progress that is discarded."""

    def start(self, task: str, total: int) -> None:
        """Nothing."""

    def advance(self, steps: int = 1, note: str = "", eta: float | None = None) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


class Terminal:
    """Progress on standard error: a bar where there is a terminal, now and then a line elsewhere.

    Implements `Progress`.
    """

    # Without a terminal: seconds between two lines.
    INTERVAL = 20.0

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
        from rich.text import Text

        class Remaining(ProgressColumn):
            """Time that is left, by the task's own word where it has one."""

            def render(self, task: Task) -> Text:
                known = task.fields.get("left")
                seconds = task.time_remaining if known is None else known
                if seconds is None:
                    return Text("--:--", style="progress.remaining")
                clock = str(timedelta(seconds=int(seconds)))
                return Text(clock, style="progress.remaining")

        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(24),
            TextColumn("{task.percentage:>3.0f}%"),
            Remaining(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        self._task: Any = None
        self._last_line = 0.0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def start(self, task: str, total: int) -> None:
        """Starts a new progress bar in place of the previous one."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(task, total=total, note="", left=None)
        self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._bar.start()

    def advance(self, steps: int = 1, note: str = "", left: float | None = None) -> None:
        """Moves the bar, or prints a line now and then where there is no terminal."""
        self._bar.update(self._task, advance=steps, note=note, left=left)
        if self._console.is_terminal or time.monotonic() - self._last_line < self.INTERVAL:
            return
        self._last_line = time.monotonic()
        task = next(t for t in self._bar.tasks if t.id == self._task)
        remaining = task.time_remaining if left is None else left
        spoken = f", {remaining:.0f} s left" if remaining is not None else ""
        self.say(f"{task.description}: {task.percentage:.0f} %{spoken}, {note}")

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, soft_wrap=True, markup=False)
