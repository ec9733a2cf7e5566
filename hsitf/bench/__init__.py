"""Exported files side by side: size, accuracy, and time in every engine at hand."""
