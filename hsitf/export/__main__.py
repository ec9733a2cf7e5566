"""`python -m hsitf.export`, the same as `hsitf export`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("export")
