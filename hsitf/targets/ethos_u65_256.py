"""Ethos-U65 with 256 multiply-accumulates a cycle, as in NXP's i.MX 93 beside a Cortex-A55."""

from __future__ import annotations

from hsitf.targets._ethos_u import ethos_u
from hsitf.targets._target import DeviceMemory

# The compiler keeps what does not fit the fast memory in DRAM, which is no limit here.
TARGET = ethos_u(
    "ethos-u65-256",
    "Ethos_U65_Client_Server",
    "Dedicated_Sram_384KB",
    DeviceMemory(384 * 2**10, "384 KiB of SRAM in the compiler's memory mode, the rest in DRAM"),
    "Ethos-U65, 256 MACs",
)
