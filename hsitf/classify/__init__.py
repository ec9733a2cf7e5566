"""Whole scenes to maps."""
