from __future__ import annotations

import pytest

from hsitf.errors import InputError
from hsitf.registry import Registry

NUMBERS = Registry("number", {"two": 2, "one": 1})


def test_a_registry_is_a_mapping_in_the_order_given():
    assert list(NUMBERS) == ["two", "one"]
    assert NUMBERS["one"] == NUMBERS.known("one") == 1
    assert len(NUMBERS) == 2
    with pytest.raises(KeyError):
        NUMBERS["three"]


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"unknown number 'oen'; allowed: two, one; .*one"):
        NUMBERS.known("oen")


def test_a_value_of_ones_own():
    numbers = Registry("number", {"two": 2})
    numbers.register("three", 3)
    assert numbers.known("three") == 3
    with pytest.raises(InputError, match="there is a number 'two' already"):
        numbers.register("two", 22)
