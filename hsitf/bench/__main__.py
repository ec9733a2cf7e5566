"""`python -m hsitf.bench`, the same as `hsitf bench`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("bench")
