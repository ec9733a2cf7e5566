"""`python -m hsitf.sweep`, the same as `hsitf sweep`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("sweep")
