"""Reductions of bands compared: what they cost, and what networks make of what is left."""
