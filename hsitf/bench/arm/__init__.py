"""Instruction counts of files on emulated Arm cores, without a board."""
