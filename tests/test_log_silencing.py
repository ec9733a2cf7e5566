from __future__ import annotations

import io
import os
import sys

import pytest

from hsitf.log_silencing import suppressed_output


def test_streams_of_a_notebook_are_suppressed_too(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    print("before")
    with suppressed_output():
        print("a library's line")
        os.write(1, b"and one of compiled code\n")
    print("after")
    assert shown.getvalue() == "before\nafter\n"


def test_what_was_suppressed_is_shown_where_the_block_fails(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", shown)

    def failing() -> None:
        with suppressed_output():
            print("a line")
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"):
        failing()
    assert shown.getvalue() == "a line\n"
