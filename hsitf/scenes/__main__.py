"""`python -m hsitf.scenes`, the same as `hsitf scenes`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("scenes")
