"""Cortex-A53: the small core without dot products of bytes."""

from __future__ import annotations

from hsitf.emulation.core import ArmCore
from hsitf.targets._arm import arm_core

TARGET = arm_core(
    ArmCore("cortex-a53", "0xd03", "0x0", 4),
    "Cortex-A53",
    "Raspberry Pi 3 and small cores of phones",
)
