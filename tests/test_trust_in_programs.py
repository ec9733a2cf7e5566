"""Files that are programs: only those made here are run, or those that a user trusts."""

from __future__ import annotations

import os

import pytest

from hsitf import inspection, trust
from hsitf.errors import DataError, OutputError
from hsitf.runtimes import SavedModel


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "hsitf"


@pytest.fixture
def program(tmp_path):
    folder = tmp_path / "bundle" / "cao"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


@pytest.mark.parametrize("load", [SavedModel, inspection.saved_model])
def test_a_program_from_elsewhere_is_not_loaded(program, load):
    with pytest.raises(DataError, match=r"is a program.*--trust"):
        load(program)


def test_what_was_exported_here_is_loaded(program, configuration):
    trust.sign(program)
    trust.require(program)
    key = configuration / trust.KEY
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == trust.KEY_BYTES
    # A second export has the same key.
    before = key.read_bytes()
    trust.sign(program)
    assert key.read_bytes() == before


def test_a_changed_program_is_refused(program):
    trust.sign(program)
    (program / "saved_model.pb").write_bytes(b"other")
    with pytest.raises(DataError, match="content that differs"):
        trust.require(program)


def test_bytes_do_not_move_between_files(program):
    # The digest of a bundle's record does not tell these two folders apart.
    trust.sign(program)
    (program / "saved_model.pb").write_bytes(b"graphvariables/variables.index\0index")
    (program / "variables" / "variables.index").unlink()
    assert not trust.is_signed(program)


def test_a_signature_of_another_user_does_not_count(program, tmp_path, monkeypatch):
    trust.sign(program)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "other"))
    assert not trust.is_signed(program)
    trust.sign(program)
    assert trust.is_signed(program)


def test_a_user_may_trust_one(program):
    with trust.programs_trusted(False), pytest.raises(DataError):
        trust.require(program)
    with trust.programs_trusted():
        trust.require(program)
    with pytest.raises(DataError):
        trust.require(program)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_key_that_others_can_read_is_refused(program, configuration):
    trust.sign(program)
    (configuration / trust.KEY).chmod(0o644)
    with pytest.raises(DataError, match="others can read"):
        trust.require(program)
    (configuration / trust.KEY).chmod(0o600)
    (configuration / trust.KEY).write_bytes(b"short")
    with pytest.raises(DataError, match="is no key"):
        trust.require(program)


def test_without_a_home_folder(program, monkeypatch):
    def nobody():
        raise RuntimeError

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr("hsitf.trust.Path.home", nobody)
    assert not trust.is_signed(program)
    with pytest.raises(OutputError, match="XDG_CONFIG_HOME"):
        trust.sign(program)
