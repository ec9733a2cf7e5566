"""A process that has Keras imported already, and forks for every command that a test types.

Importing TensorFlow takes as long as most commands of the tests do. The parent imports it once and
computes nothing, so that it has a single thread and may be forked; a command runs in a process of
its own, with its own folder, environment, arguments and output, as `python -m hsitf.VERB` does.

As a program it reads one request a line from standard input and answers with the exit status.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

# What chooses the backend has to be known before Keras is imported.
_COLD = "--backend"
_TIMED_OUT = -1


class CommandForker:
    """Starts the process with the first command, and runs commands as forks of it.

    Args:
        preload: Modules that it imports beside Keras, for many commands that need them.
    """

    def __init__(self, preload: tuple[str, ...] = ()) -> None:
        self._preload = preload
        self._process: subprocess.Popen[str] | None = None

    def run(
        self,
        verb: str,
        words: tuple[str, ...],
        folder: Path,
        env: dict[str, str],
        timeout: float,
        before: tuple[Path, dict[str, Any]] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """The exit status and output of a command; `subprocess.TimeoutExpired` after its time.

        Before the command, its process calls the function `arm` of a file with arguments, where
        `before` names them.
        """
        command = [sys.executable, "-m", f"hsitf.{verb}", *words]
        if _COLD in words:
            return subprocess.run(
                command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout
            )
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, __file__, *self._preload],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        with tempfile.TemporaryDirectory() as place:
            out, err = Path(place, "out"), Path(place, "err")
            request = {
                "module": f"hsitf.{verb}",
                "words": [str(word) for word in words],
                "folder": str(folder),
                "env": env,
                "out": str(out),
                "err": str(err),
                "timeout": timeout,
                "before": before and [str(before[0]), before[1]],
            }
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            print(json.dumps(request), file=self._process.stdin, flush=True)
            status = int(self._process.stdout.readline())
            outputs = out.read_text(), err.read_text()
        if status == _TIMED_OUT:
            raise subprocess.TimeoutExpired(command, timeout, *outputs)
        return subprocess.CompletedProcess(command, status, *outputs)

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(timeout=30)
            self._process = None


def _serve() -> None:
    from hsitf.log_silencing import load_keras

    load_keras()
    for name in sys.argv[1:]:
        import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            answers.close()
            _become(request)
            return
        print(_wait(child, request["timeout"]), file=answers, flush=True)


def _wait(child: int, timeout: float) -> int:
    """The exit status of a child, which is killed after its time."""
    deadline = time.monotonic() + timeout
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return _TIMED_OUT
        time.sleep(0.01)


def _become(request: dict[str, Any]) -> None:
    """Runs the command of a request in this process."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, opened in enumerate(
        (nothing, os.open(request["out"], flags), os.open(request["err"], flags))
    ):
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[0] = request["folder"]
    sys.argv = [request["module"], *request["words"]]
    if request["before"]:
        file, arguments = request["before"]
        runpy.run_path(file)["arm"](**arguments)
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve()
