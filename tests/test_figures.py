from __future__ import annotations

import numpy as np
import pytest

from hsitf.errors import InputError
from hsitf.figures import SpectralAxis, class_palette, figure_format, gaps, new_figure, palette


def test_gaps_by_hand():
    # Water vapor was removed twice; the second time, two bands lie between two gaps.
    centers = np.array([400.0, 410, 420, 430, 500, 510, 600, 610])
    assert gaps(centers) == (4, 6)
    assert gaps(np.array([400.0, 410, 420])) == ()
    assert gaps(np.array([400.0, 900])) == ()
    # One missing band is no gap.
    assert gaps(np.array([400.0, 410, 430, 440, 450])) == ()


def test_another_sampling_is_no_gap():
    visible, infrared = np.arange(400, 980, 1.7), np.arange(982, 2500, 5.6)
    assert gaps(np.concatenate([visible, infrared])) == ()
    # Overlapping detectors lie as near as 0.2 nm to one another.
    overlapping = np.sort(np.concatenate([np.arange(400, 1000, 7.0), np.arange(900, 2400, 10.3)]))
    assert gaps(overlapping) == ()


def test_lines_end_at_gaps_and_never_run_backwards():
    centers = np.array([430.0, 400, 410, 420, 600, 610, 620, 415])
    axis = SpectralAxis.of(centers, 8)
    assert axis.label == "wavelength (nm)"
    x, y = axis.split(np.arange(8))
    np.testing.assert_array_equal(x, [400, 410, 415, 420, 430, np.nan, 600, 610, 620])
    np.testing.assert_array_equal(y, [1, 2, 7, 3, 0, np.nan, 4, 5, 6])
    parts = axis.edges()
    assert [part for part, _ in parts] == [slice(0, 5), slice(5, 8)]
    np.testing.assert_allclose(parts[0][1], [395, 405, 412.5, 417.5, 425, 435])
    np.testing.assert_allclose(parts[1][1], [595, 605, 615, 625])


def test_a_band_between_two_gaps_is_a_point():
    axis = SpectralAxis.of(np.array([400.0, 410, 420, 700, 990, 1000, 1010]), 7)
    assert axis.gaps == (3, 4)
    axes = new_figure().subplots()
    axis.plot(axes, np.arange(7.0), color="black", label="a")
    line, point = axes.lines
    assert np.isnan(line.get_ydata()).sum() == 2
    assert (point.get_xdata().tolist(), point.get_ydata().tolist()) == ([700], [3])
    # It has no line of its own in the legend.
    assert axes.get_legend_handles_labels()[1] == ["a"]


def test_bands_without_wavelengths_count_from_one():
    axis = SpectralAxis.of(None, 3)
    assert (axis.positions.tolist(), axis.label, axis.gaps) == ([1, 2, 3], "band number", ())


def test_classes_have_the_colors_of_their_labels():
    own = [(1, 2, 3), (4, 5, 6)]
    assert class_palette(2, own) == own
    assert class_palette(2) == palette(2)
    assert class_palette(3, own) == palette(3)


def test_a_format_is_known_by_its_suffix(tmp_path):
    assert figure_format(tmp_path / "a.PDF") == "pdf"
    with pytest.raises(InputError, match=r"\.png, \.svg, \.pdf"):
        figure_format(tmp_path / "a.jpg")
