"""Cortex-A72: a large core without dot products of bytes."""

from __future__ import annotations

from hsitf.emulation.core import ArmCore
from hsitf.targets._arm import arm_core

TARGET = arm_core(
    ArmCore("cortex-a72", "0xd08", "0x0", 3),
    "Cortex-A72",
    "Raspberry Pi 4",
)
