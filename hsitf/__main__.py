"""`python -m hsitf VERB` and the console script `hsitf`: all verbs in one command."""

from __future__ import annotations

from hsitf.commands.application import all_verbs, run


def main() -> None:
    """Entry point of the console script."""
    run(all_verbs())


if __name__ == "__main__":
    main()
