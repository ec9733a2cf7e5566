"""`python -m hsitf.draw`, the same as `hsitf draw`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("draw")
