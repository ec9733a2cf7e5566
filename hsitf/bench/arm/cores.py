"""Arm cores that can be emulated; one row each."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.errors import unknown

# Features of every AArch64 core listed here, by their Linux names.
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
        found_in: Devices that have this core.
    """

    name: str
    part: str
    variant: str
    revision: int
    features: str
    found_in: str

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


CORES = {
    core.name: core
    for core in (
        ArmCore("cortex-a53", "0xd03", "0x0", 4, "", "Raspberry Pi 3, small cores of phones"),
        ArmCore("cortex-a72", "0xd08", "0x0", 3, "", "Raspberry Pi 4"),
        ArmCore(
            "cortex-a76",
            "0xd0b",
            "0x3",
            1,
            "atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp",
            "Raspberry Pi 5, phones",
        ),
    )
}


def find_core(name: str) -> ArmCore:
    """The core `name`.

    Raises:
        InputError: There is none; the nearest names are offered.
    """
    if name not in CORES:
        raise unknown("Arm core", name, CORES)
    return CORES[name]
