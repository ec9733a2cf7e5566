"""`python -m hsitf.report`, the same as `hsitf report`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("report")
