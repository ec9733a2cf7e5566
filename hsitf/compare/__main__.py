"""`python -m hsitf.compare`, the same as `hsitf compare`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("compare")
