"""Files on emulated Arm cores: what they cost in instructions, without a board."""
