"""Runs .tflite files on emulated Arm cores and counts their instructions."""
