"""Browsers, by LiteRT.js (`export --web`)."""

from __future__ import annotations

from hsitf.targets._target import Target

TARGET = Target(
    title="browser",
    description="Any browser with WebAssembly SIMD, in LiteRT.js.",
    variants=("int8", "float32"),
)
