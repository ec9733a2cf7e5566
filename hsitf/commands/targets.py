"""`hsitf targets`: the devices that files can be made for."""

from __future__ import annotations

from typing import Annotated

import typer

from hsitf.commands.application import application, verb

app = application("Lists the devices that files can be made for.")


@verb(app)
def targets(
    *,
    name: Annotated[
        str | None, typer.Argument(help="One target, with all that is known of it.")
    ] = None,
) -> None:
    """Lists targets, what an inference costs there and how that is known."""
    from hsitf.targets._table import format_target, format_targets

    print(format_targets() if name is None else format_target(name))
