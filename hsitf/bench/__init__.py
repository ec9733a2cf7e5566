"""Benchmarks of exported files: size, accuracy, latency and memory in inference engines."""
