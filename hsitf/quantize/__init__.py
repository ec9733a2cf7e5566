"""Quantization: simulated bit widths, calibration, and techniques that recover accuracy."""
