"""Arm cores that can be emulated; one row each."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.errors import unknown

# What every AArch64 core of these has, by the names of Linux.
_BASE = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"


@dataclass(frozen=True)
class Core:
    """A core as QEMU emulates it and as Linux describes it.

    LiteRT chooses its kernels by both: by the features that the processor shows, and by the part
    number in /proc/cpuinfo.

    Attributes:
        name: As on the command line and in QEMU.
        part: Its part number (Arm, Main ID Register).
        variant: Its variant; `revision` likewise.
        features: Beyond those of every such core, by the names of Linux.
        found_in: A device that has it.
    """

    name: str
    part: str
    variant: str
    revision: int
    features: str
    found_in: str

    @property
    def cpuinfo(self) -> str:
        """The text of /proc/cpuinfo of one such core."""
        return (
            f"processor\t: 0\nBogoMIPS\t: 48.00\nFeatures\t: {_BASE} {self.features}".rstrip()
            + "\n"
            "CPU implementer\t: 0x41\nCPU architecture: 8\n"
            f"CPU variant\t: {self.variant}\nCPU part\t: {self.part}\n"
            f"CPU revision\t: {self.revision}\n\n"
        )


CORES = {
    core.name: core
    for core in (
        Core("cortex-a53", "0xd03", "0x0", 4, "", "Raspberry Pi 3, small cores of phones"),
        Core("cortex-a72", "0xd08", "0x0", 3, "", "Raspberry Pi 4"),
        Core(
            "cortex-a76",
            "0xd0b",
            "0x3",
            1,
            "atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp",
            "Raspberry Pi 5, phones",
        ),
    )
}


def core(name: str) -> Core:
    """The core `name`.

    Raises:
        InputError: There is none; the nearest names are offered.
    """
    if name not in CORES:
        raise unknown("Arm core", name, CORES)
    return CORES[name]
