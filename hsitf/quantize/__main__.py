"""`python -m hsitf.quantize`, the same as `hsitf quantize`."""

from hsitf.commands.application import run_verb

if __name__ == "__main__":
    run_verb("quantize")
