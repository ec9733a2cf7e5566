"""Cortex-A76: a large core with dot products of bytes."""

from __future__ import annotations

from hsitf.emulation.core import ArmCore
from hsitf.targets._arm import arm_core

TARGET = arm_core(
    ArmCore("cortex-a76", "0xd0b", "0x3", 1, "atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"),
    "Cortex-A76",
    "Raspberry Pi 5 and phones",
)
