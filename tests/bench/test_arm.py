"""Emulated Arm cores."""

from __future__ import annotations

import shutil

import pytest

from hsitf.bench.emulated import emulate
from hsitf.bench.subject import find_subjects
from hsitf.bench.target_costs import split_targets
from hsitf.emulation.core import ArmCore
from hsitf.emulation.inference import count_instructions
from hsitf.emulation.system import PROGRAMS, WHEELS, check_programs
from hsitf.errors import InputError
from hsitf.progress import Silent


def core(name: str) -> ArmCore:
    (found,), others = split_targets([name])
    assert not others
    return found


@pytest.fixture(autouse=True)
def emulator_is_installed(monkeypatch):
    monkeypatch.setattr("hsitf.targets._arm.absent_programs", lambda: [])


def test_a_core_is_described_as_linux_does():
    text = core("cortex-a76").cpuinfo
    lines = dict(line.split("\t: ") for line in text.splitlines() if "\t: " in line)
    assert lines["CPU part"] == "0xd0b"
    assert "asimddp" in lines["Features"].split()
    assert "asimddp" not in core("cortex-a53").cpuinfo


def test_marking_itself_is_not_counted():
    # Three inferences of 100, 104 and 100 instructions, each with 5 for the marks.
    assert count_instructions([0, 105, 200, 309, 400, 505, 600, 605]) == (100, 4)


def test_absent_programs_are_named_with_the_command_that_installs_them(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="apt-get install qemu-user debootstrap dpkg gcc"):
        check_programs()


def test_the_emulated_interpreter_is_the_one_of_the_host():
    from importlib import metadata

    pinned = dict(
        line.split()[0].split("==") for line in WHEELS.read_text().splitlines() if line[0] != "#"
    )
    assert pinned["ai-edge-litert"] == metadata.version("ai-edge-litert")


@pytest.mark.slow
@pytest.mark.skipif(
    any(shutil.which(name) is None for name in PROGRAMS), reason="emulation is not installed"
)
def test_an_integer_file_is_bit_equal_and_its_cost_repeats(shell):
    done = shell("export", "--model", "hu", *shell.SCENE, "--int8")
    assert done.returncode == 0, done.stderr
    files = find_subjects([shell.folder / "export/tiny/hu"])
    cores = [core("cortex-a53"), core("cortex-a76")]
    (small, large), notes = emulate(files, cores, Silent())
    assert not notes
    assert small.bit_exact
    assert large.bit_exact
    assert max(small.spread, large.spread) < 1000
    # Arm's dot products of bytes came with the later core.
    assert large.instructions < small.instructions
