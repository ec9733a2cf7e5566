"""Phones and tablets with Android, in the demo app (android_demo/README.md)."""

from __future__ import annotations

from hsitf.targets._target import Target

TARGET = Target(
    title="Android",
    description="Phones and tablets; `export --android` packs for the demo app, `bench --android` "
    "measures on a connected one.",
    variants=("int8", "float32", "float16"),
)
