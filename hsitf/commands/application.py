"""What turns a function with options into a verb: help, messages, exit statuses, old names."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from hsitf import __version__
from hsitf.commands.interruption import Interrupted, Interruption
from hsitf.errors import DataError, HsitfError
from hsitf.log_silencing import silence_library_logs

# In the order of the work, which is the order of `hsitf --help`.
VERBS = (
    "scenes",
    "bands",
    "train",
    "compare",
    "adopt",
    "prune",
    "compress",
    "quantize",
    "export",
    "targets",
    "classify",
    "bench",
    "explain",
    "draw",
    "sweep",
    "report",
)

# Of the output of a process itself, which has no name.
_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)

Function = TypeVar("Function", bound=Callable[..., Any])


def application(help_text: str) -> typer.Typer:
    """A command-line application with the settings that all verbs share."""
    return typer.Typer(
        help=help_text,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def verb(
    app: typer.Typer, renamed: Mapping[str, str] | None = None
) -> Callable[[Function], Function]:
    """Makes a function the command of an application.

    Args:
        app: The verb's application.
        renamed: Former names of options with today's. They still work in this version, are not
            listed by `--help`, and print one line that gives the new name.
    """

    class Verb(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            return super().parse_args(ctx, [_today(one, renamed or {}) for one in args])

        def invoke(self, ctx: Any) -> Any:
            try:
                return super().invoke(ctx)
            except EOFError as error:
                # The parser takes it for the end of what a user types.
                raise DataError(
                    "a file ends too early",
                    received=str(error) or "an unexpected end",
                    remedy="fetch it or make it again",
                ) from error
            except OSError as error:
                # The parser ends the process without a word where a reader has closed the output.
                if error.errno == errno.EPIPE:
                    raise _ClosedOutputError(error.strerror) from error
                raise

    return app.command(cls=Verb)


def _today(argument: str, renamed: Mapping[str, str]) -> str:
    """An argument under today's name of its option."""
    name, equals, value = argument.partition("=")
    if name not in renamed:
        return argument
    print(f"hsitf: {name} is now {renamed[name]}; the old name goes away.", file=sys.stderr)
    return f"{renamed[name]}{equals}{value}"


def run_verb(name: str) -> None:
    """Runs one verb by itself, as `python -m hsitf.NAME` does."""
    run(import_module(f"hsitf.commands.{name}").app)


def all_verbs() -> typer.Typer:
    """The application `hsitf`, with every verb as a subcommand."""
    app = application("Hyperspectral image classification on edge devices.")

    @app.callback(no_args_is_help=True)
    def options(
        version: bool = typer.Option(
            False, "--version", help="Print the version and exit.", callback=_version, is_eager=True
        ),
    ) -> None:
        pass

    for name in VERBS:
        one = import_module(f"hsitf.commands.{name}").app
        if len(one.registered_commands) > 1:
            app.add_typer(one, name=name)
        else:
            app.registered_commands += one.registered_commands
    return app


def _version(given: bool) -> None:
    if given:
        print(f"hsitf {__version__}")
        raise typer.Exit


def run(application: typer.Typer, arguments: Sequence[str] | None = None) -> None:
    """Runs a verb; a user's mistake ends in one message and a status, without a traceback.

    Args:
        application: The application of one verb, or of all.
        arguments: Arguments in place of this process's own.
    """
    silence_library_logs()
    interruption = Interruption()
    interruption.listen()
    try:
        with interruption.recognized():
            status = application(arguments, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        # A verb returns nothing; an early exit returns its status.
        if isinstance(status, int) and status:
            sys.exit(status)
    except HsitfError as error:
        _complain(str(error), error.status)
    except Interrupted as error:
        _complain(
            "interrupted; repeat the command (a training goes on from its last saved epoch).",
            error.status,
        )
    except (_ClosedOutputError, BrokenPipeError) as error:
        _output_lost(
            str(error.strerror) if isinstance(error, OSError) else str(error),
            "its reader has closed it: let it read to the end",
        )
    except OSError as error:
        # Errors of writing explain themselves; this is a path that cannot be read or is no path.
        if error.filename is None:
            if error.errno not in _OUTPUT_ERRORS:
                raise
            _output_lost(error.strerror or "", "free some space or write elsewhere")
        path = str(error.filename)
        _complain(
            f"{path if len(path) < 200 else path[:200] + '...'} cannot be used; "
            f"received: {error.strerror}; correct the path or its permissions.",
            4,
        )
    except MemoryError as error:
        _complain(
            f"out of memory: {error}; close other programs or give a smaller --batch-size.", 1
        )
    except Exception as error:
        # The parser's own errors, whose class lies in a private module of Typer.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "hsitf"
        _complain(f"{error.format_message().rstrip('.')}; see {command} --help.", 2)


class _ClosedOutputError(Exception):
    """A reader has closed the output of this process."""


def _output_lost(reason: str, remedy: str) -> None:
    """Ends a process whose output cannot be written."""
    # What is left in the buffer would fail again as Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _complain(f"the output cannot be written; received: {reason}; {remedy}.", 4)


def _complain(message: str, status: int) -> None:
    print(f"hsitf: {message}", file=sys.stderr)
    sys.exit(status)
