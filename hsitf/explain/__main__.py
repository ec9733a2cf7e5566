"""`python -m hsitf.explain`, the same as `hsitf explain`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("explain")
