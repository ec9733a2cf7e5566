"""Called in the process of a command: kills it at one of its moves into place.

Everything that hsitf publishes is moved into place by `os.replace`, or exchanged with what was
there by `hsitf.files`. Moves into the command's own folder are counted, from 1.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


def arm(count: str, at: int = 0, after: bool = False) -> None:
    """Counts the moves of this process into a file, and kills the process at one of them.

    Args:
        count: The file, which holds the number of moves so far.
        at: Number of the move; 0 to kill at none.
        after: Whether it is killed right after the move rather than before it.
    """
    from hsitf import files

    here, done = Path.cwd().resolve(), 0
    own = os.getpid()

    def watched(move: Callable[..., Any]) -> Callable[..., Any]:
        def moved(source: Any, target: Any, *rest: Any) -> Any:
            nonlocal done
            if os.getpid() != own or here not in Path(target).absolute().parents:
                return move(source, target, *rest)
            done += 1
            Path(count).write_text(str(done))
            if done == at and not after:
                os.kill(own, signal.SIGKILL)
            result = move(source, target, *rest)
            if done == at:
                os.kill(own, signal.SIGKILL)
            return result

        return moved

    os.replace = watched(os.replace)
    files._exchanged = watched(files._exchanged)
