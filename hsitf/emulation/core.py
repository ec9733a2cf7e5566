"""Arm cores as the emulator and Linux describe them."""

from __future__ import annotations

from dataclasses import dataclass

# Features of every AArch64 core described here, by their Linux names.
_BASE = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"


@dataclass(frozen=True)
class ArmCore:
    """A core as QEMU emulates it and as Linux describes it.

    LiteRT selects its kernels by the features of the processor and by the part number in
    /proc/cpuinfo.

    Attributes:
        name: Name on the command line and in QEMU.
        part: Part number (Arm, Main ID Register).
        variant: Variant number.
        revision: Revision number.
        features: Additional features, by their Linux names.
    """

    name: str
    part: str
    variant: str
    revision: int
    features: str = ""

    @property
    def cpuinfo(self) -> str:
        """Content of /proc/cpuinfo for one such core."""
        return (
            f"processor\t: 0\nBogoMIPS\t: 48.00\nFeatures\t: {_BASE} {self.features}".rstrip()
            + "\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\n"
            f"CPU variant\t: {self.variant}\nCPU part\t: {self.part}\n"
            f"CPU revision\t: {self.revision}\n\n"
        )
