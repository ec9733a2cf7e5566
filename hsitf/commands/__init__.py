"""The verbs of the command line, one file each. Nothing outside this package imports from it."""
