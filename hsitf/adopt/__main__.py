"""`python -m hsitf.adopt`, the same as `hsitf adopt`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("adopt")
