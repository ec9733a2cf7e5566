"""What the verbs of the command line share: options, progress, messages, exit codes."""

from __future__ import annotations

import signal
import sys
import time
from datetime import timedelta
from typing import Annotated, Any

import typer

from hsitf.errors import HsitfError
from hsitf.quiet import hush, quietly

Model = Annotated[str, typer.Option("--model", "-m", help="Network, by its name in the zoo.")]
SceneName = Annotated[
    str, typer.Option("--scene", "-s", help="Scene by name, or the path of a cube.")
]
DataDir = Annotated[
    str | None, typer.Option("--data-dir", help="Folder that holds the scene's files.")
]
Labels = Annotated[
    str | None, typer.Option("--labels", help="Label map of a cube given by its path.")
]
Variable = Annotated[str | None, typer.Option("--variable", help="Variable of the cube.")]
LabelsVariable = Annotated[
    str | None, typer.Option("--labels-variable", help="Variable of the label map.")
]
DropClass = Annotated[
    list[str] | None, typer.Option("--drop-class", help="Class to leave out; repeatable.")
]
SplitKind = Annotated[
    str, typer.Option("--split", help="disjoint (guard band), random (leaks) or fixed.")
]
Guard = Annotated[
    int | None, typer.Option("--guard", help="Pixels between the sets of a disjoint split.")
]
TrainShare = Annotated[
    str | None, typer.Option("--train", help="Training side: a share such as 0.65, or n a class.")
]
TrainMap = Annotated[
    str | None, typer.Option("--train-map", help="Label map of the training pixels (fixed split).")
]
Patch = Annotated[int | None, typer.Option("--patch", help="Side of the patch in pixels.")]
Bands = Annotated[
    str | None,
    typer.Option("--bands", help="Reduce bands: pca:30, forest-rfe:20, select:10,20, nm:450-900."),
]
Seed = Annotated[int, typer.Option("--seed", help="Of the split, the weights and the order.")]


def app(help_text: str) -> typer.Typer:
    """A command-line application in the house's manner."""
    return typer.Typer(
        help=help_text,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def run(application: typer.Typer) -> None:
    """Runs a verb; a user's mistake ends in one message and a status, without a traceback."""
    hush()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        application()
    except HsitfError as error:
        _complain(str(error), error.status)
    except _Interrupted as error:
        _complain(
            "interrupted; repeat the command (a training goes on from its last saved epoch).",
            error.status,
        )
    except OSError as error:
        # What is written explains itself; this is a path that cannot be read or does not work.
        if error.filename is None:
            raise
        path = str(error.filename)
        _complain(
            f"{path if len(path) < 200 else path[:200] + '...'} cannot be used; "
            f"received: {error.strerror}; correct the path or its permissions.",
            4,
        )
    except MemoryError as error:
        _complain(f"out of memory: {error}; close other programs or give a smaller --batch.", 1)


class _Interrupted(BaseException):
    """A signal to end; no library that catches exceptions is to swallow it."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


def _interrupt(number: int, frame: object) -> None:
    # The status that shells give a program ended by a signal.
    raise _Interrupted(128 + number)


def _complain(message: str, status: int) -> None:
    print(f"hsitf: {message}", file=sys.stderr)
    sys.exit(status)


def load_keras() -> None:
    """Imports Keras and its backend, whose chatter at the start nobody asked for."""
    with quietly():
        import keras  # noqa: F401


class Terminal:
    """Progress on standard error: a bar where there is a terminal, now and then a line elsewhere.

    Implements `hsitf.progress.Progress`.
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
        self._told = 0.0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def start(self, task: str, total: int) -> None:
        """Begins a bar, in place of the one before."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(task, total=total, note="", left=None)
        self._told = time.monotonic()
        if self._console.is_terminal:
            self._bar.start()

    def advance(self, steps: int = 1, note: str = "", left: float | None = None) -> None:
        """Moves the bar, or tells in a line where there is none."""
        self._bar.update(self._task, advance=steps, note=note, left=left)
        if self._console.is_terminal or time.monotonic() - self._told < self.INTERVAL:
            return
        self._told = time.monotonic()
        task = next(t for t in self._bar.tasks if t.id == self._task)
        remaining = task.time_remaining if left is None else left
        spoken = f", {remaining:.0f} s left" if remaining is not None else ""
        self.say(f"{task.description}: {task.percentage:.0f} %{spoken}, {note}")

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text, soft_wrap=True, markup=False)
