"""Ethos-U55 with 256 multiply-accumulates a cycle, as in Arm's Corstone-300 beside a Cortex-M55."""

from __future__ import annotations

from hsitf.targets._ethos_u import ethos_u
from hsitf.targets._target import DeviceMemory

TARGET = ethos_u(
    "ethos-u55-256",
    "Ethos_U55_High_End_Embedded",
    "Shared_Sram",
    DeviceMemory(2 * 2**20, "two banks of 1 MiB of SRAM, as in Corstone-300"),
    "Ethos-U55, 256 MACs",
)
