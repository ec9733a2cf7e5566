"""`python -m hsitf.targets`, the same as `hsitf targets`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("targets")
