"""`python -m hsitf.train`, the same as `hsitf train`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("train")
