"""Signals that end a command, where Python or a library would lose them, too."""

from __future__ import annotations

import signal
import sys
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager

# Seconds until a signal is repeated that arrived where Python ignores exceptions.
_AGAIN_S = 0.05


class Interrupted(BaseException):
    """A signal to end; no library that catches exceptions is to swallow it.

    Attributes:
        status: What shells give a program that the signal ended.
    """

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class Interruption:
    """Raises `Interrupted` in the main thread when a signal to end arrives.

    Python ignores what is raised in a destructor or in the callback of a weak reference: the signal
    is repeated then. Compiled libraries report what is raised in a function that they call as an
    error of their own: it is recognized as the signal that was its cause.
    """

    def __init__(self) -> None:
        # 0 as long as no signal has arrived.
        self._status = 0
        self._unraisable = sys.unraisablehook

    def listen(self) -> None:
        """Replaces what this process does at SIGINT and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupt)
        sys.unraisablehook = self._ignored

    @contextmanager
    def recognized(self) -> Iterator[None]:
        """Turns errors behind a signal into `Interrupted`."""
        try:
            yield
        except Exception as error:
            if self._status:
                raise Interrupted(self._status) from error
            raise

    def _interrupt(self, number: int, frame: object) -> None:
        self._status = 128 + number
        raise Interrupted(self._status)

    def _ignored(self, what: sys.UnraisableHookArgs) -> None:
        if not issubclass(what.exc_type, Interrupted):
            self._unraisable(what)
            return
        # Not from here, where it would be ignored once more.
        again = threading.Timer(_AGAIN_S, interrupt_main, (self._status - 128,))
        again.daemon = True
        again.start()
