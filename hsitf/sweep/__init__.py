"""Grids of experiments: a study file becomes cells, cells become rows of a table."""
