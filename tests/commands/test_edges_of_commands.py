"""What ends a verb from outside is one message with the right status."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from hsitf import log_silencing
from hsitf.commands import application as cli
from hsitf.errors import ResourceError


def run(function, capsys):
    """Message and status of a verb."""
    app = cli.application("A verb.")
    cli.verb(app)(function)
    with pytest.raises(SystemExit) as ended:
        cli.run(app, [])
    return capsys.readouterr().err, ended.value.code


def test_a_file_that_ends_too_early_is_no_abort(capsys):
    def verb() -> None:
        raise EOFError("5 bytes of 8")

    text, status = run(verb, capsys)
    assert text.startswith("hsitf: a file ends too early; received: 5 bytes of 8; ")
    assert status == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_an_output_that_cannot_be_written(capsys, monkeypatch, number):
    def verb() -> None:
        raise OSError(number, os.strerror(number))

    moved = []
    monkeypatch.setattr(os, "dup2", lambda old, new: moved.append(new))
    text, status = run(verb, capsys)
    assert text.startswith(f"hsitf: the output cannot be written; received: {os.strerror(number)}")
    assert (status, moved) == (4, [1])


@pytest.mark.parametrize("where", ["in the verb", "at its end"])
def test_a_reader_that_closes_the_output(capsys, monkeypatch, where):
    def verb() -> None:
        if where == "in the verb":
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        monkeypatch.setattr(sys.stdout, "flush", close)

    def close() -> None:
        if not moved:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    moved: list[int] = []
    monkeypatch.setattr(os, "dup2", lambda old, new: moved.append(new))
    text, status = run(verb, capsys)
    assert text == (
        "hsitf: the output cannot be written; received: Broken pipe; its reader has closed it: "
        "let it read to the end.\n"
    )
    assert (status, moved) == (4, [1])


def test_too_little_address_space_is_said_before_tensorflow_starts(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (2_000_000_000, -1))
    with pytest.raises(ResourceError, match=r"limit of 2\.0 GB; allowed: 2\.5 GB or more"):
        log_silencing.load_keras()
