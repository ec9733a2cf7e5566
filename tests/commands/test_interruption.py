"""A signal to end where Python or a library would lose it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conftest import ROOT

VERB = """
import os, signal, time, weakref
from hsitf.commands.application import application, run

app = application("A verb.")

def signalled():
    os.kill(os.getpid(), signal.{name})
    for _ in range(100):
        time.sleep(0.001)

@app.command()
def verb():
{body}
    time.sleep(20)
    print("went on")

run(app, [])
"""

IN_A_CALLBACK = """
    class Thing:
        pass

    thing = Thing()
    kept = weakref.ref(thing, lambda _: signalled())
    del thing
"""

AS_AN_ERROR = """
    try:
        signalled()
    except BaseException:
        # What a compiled library does with an exception of a function that it calls.
        raise ValueError("an error occurred in a callback") from None
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("body", [IN_A_CALLBACK, AS_AN_ERROR], ids=["callback", "error"])
def test_a_signal_where_python_or_a_library_loses_it(name, status, body):
    command = [sys.executable, "-c", VERB.format(name=name, body=body)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("hsitf: interrupted; repeat the command")
    assert done.stderr.count("\n") == 1
