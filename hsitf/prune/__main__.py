"""`python -m hsitf.prune`, the same as `hsitf prune`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("prune")
