from __future__ import annotations

import pytest

from hsitf import errors
from hsitf.errors import HsitfError, InputError, unknown


def test_the_four_parts_in_their_order():
    error = HsitfError("a is wrong", received=3, allowed="1 or 2", remedy="give another a")
    assert str(error) == "a is wrong; received: 3; allowed: 1 or 2; give another a."


def test_parts_that_are_missing_leave_no_trace():
    assert str(HsitfError("a is wrong")) == "a is wrong."
    assert str(HsitfError("a is wrong", received=0)) == "a is wrong; received: 0."


def test_every_kind_has_a_status_of_its_own():
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, HsitfError)]
    own = [kind for kind in kinds if "status" in vars(kind)]
    assert sorted(kind.status for kind in own) == list(range(1, len(own) + 1))


@pytest.mark.parametrize(
    ("kind", "pythons", "status"),
    [
        (errors.InputError, ValueError, 2),
        (errors.DataError, ValueError, 3),
        (errors.OutputError, OSError, 4),
        (errors.LoweringError, ValueError, 5),
        (errors.VerificationError, ValueError, 6),
        (errors.MissingInputError, FileNotFoundError, 2),
        (errors.MissingDataError, FileNotFoundError, 3),
    ],
)
def test_who_catches_pythons_own_errors_gets_the_parts(kind, pythons, status):
    with pytest.raises(pythons) as caught:
        raise kind("a is wrong", received=3, allowed="1 or 2", remedy="give another a")
    assert str(caught.value) == "a is wrong; received: 3; allowed: 1 or 2; give another a."
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("coa", "did you mean cao."),
        ("CAO", "did you mean cao."),
        ("h", "did you mean he or hu."),
        ("resnet", "name one of these."),
        ("", "name one of these."),
    ],
)
def test_nearest_names_are_offered(typed, offered):
    error = unknown("network", typed, iter(["cao", "he", "hu"]))
    assert isinstance(error, InputError)
    assert str(error) == f"unknown network {typed!r}; allowed: cao, he, hu; {offered}"


def test_offers_names_as_they_are_spelled():
    assert "did you mean PaviaU." in str(unknown("scene", "paviau", ["PaviaU", "Salinas"]))


def test_messages_do_not_steer_terminals():
    """Names in files may hold anything, and are quoted."""
    error = HsitfError("\x1b[31mred\x00 \ud800", received="a" * 5000, remedy="first\n  second")
    text = str(error)
    assert text.startswith("\\x1b[31mred\\x00 \\ud800; received: aaa")
    assert text.endswith("aaa...; first\n  second.")
    assert len(text) < 2100
