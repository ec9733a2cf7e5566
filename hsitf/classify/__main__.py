"""`python -m hsitf.classify`, the same as `hsitf classify`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("classify")
