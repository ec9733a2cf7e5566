"""Explanations: the bands and pixels that a network relies on, before and after compression."""
