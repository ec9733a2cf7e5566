"""Ethos-U85 with 256 multiply-accumulates a cycle, as in Arm's Corstone-320 beside a Cortex-M85."""

from __future__ import annotations

from hsitf.targets._ethos_u import ethos_u
from hsitf.targets._target import DeviceMemory

TARGET = ethos_u(
    "ethos-u85-256",
    "Ethos_U85_SYS_DRAM_Mid",
    "Dedicated_Sram_384KB",
    DeviceMemory(384 * 2**10, "384 KiB of SRAM in the compiler's memory mode, the rest in DRAM"),
    "Ethos-U85, 256 MACs",
)
