"""`python -m hsitf.compress`, the same as `hsitf compress`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("compress")
