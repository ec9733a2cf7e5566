"""Cells of CSV files and spreadsheets are never formulas."""

from __future__ import annotations

import io

import pytest

from hsitf.tables import plain_cell, write_csv


@pytest.mark.parametrize(
    "text",
    ["=HYPERLINK(1)", "=1", "+A1", "-A1+2", "@SUM(A1)", "\t=1", "\r=1", "-1+cmd|' /C calc'!A0"],
)
def test_formulas_become_texts(text):
    assert plain_cell(text) == "'" + text


@pytest.mark.parametrize(
    "cell",
    ["corn", "", "-", "-1.5", "+3.2%", "-0.35 points", "-1.2e-05", "a=b", 3, -3.5, None, True],
)
def test_numbers_and_names_stay(cell):
    assert plain_cell(cell) == cell


def test_rows():
    stream = io.StringIO()
    write_csv([["name", "oa"], ["=1", -0.5]], stream)
    assert stream.getvalue() == "name,oa\r\n'=1,-0.5\r\n"
