"""`python -m hsitf.bands`, the same as `hsitf bands`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("bands")
