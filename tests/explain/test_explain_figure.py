"""What the figures of explanations say: titles, colors, gaps."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hsitf.explain import figure
from hsitf.explain.explanation import Explanation
from hsitf.explain.outputs import ExplainedOutput
from hsitf.explain.record import ExplanationRecord, OutputRecord
from hsitf.explain.table import format_summary
from hsitf.scenes.scene import Scene

# Bands around a gap, the middle of which two detectors share.
CENTERS = np.array([400.0, 410, 420, 900, 910, 920])


def scene(wavelengths: np.ndarray | None = CENTERS) -> Scene:
    cube = np.tile(np.arange(6, dtype=np.float32), (2, 2, 1))
    labels = np.array([[1, 2], [1, 2]], np.int32)
    colors = ((255, 0, 0), (0, 0, 255))
    return Scene("s", cube, labels, ("a", "$b"), wavelengths, class_colors=colors)


def source(reduction: str = "", selected: tuple[int, ...] = (), label: str = "trained") -> object:
    run = SimpleNamespace(record=SimpleNamespace(bands=SimpleNamespace(selected=selected)))
    magnitude = np.ones((2, 3, 3, 6), np.float32)
    return SimpleNamespace(
        source=SimpleNamespace(label=label, oa=0.5, reduction=reduction, run=run),
        magnitude=magnitude,
        bands=np.ones((2, 6), np.float32),
    )


def explanation(*sources: object, of: Scene | None = None) -> Explanation:
    outputs = tuple(
        ExplainedOutput(name, number, np.array([number, number + 2]))
        for number, name in enumerate(("a", "$b"))
    )
    options = SimpleNamespace(
        map_bands=(),
        method=SimpleNamespace(name="saliency", spatial=True, spectral=True),
        settings=SimpleNamespace(weight="", layer=""),
    )
    record = SimpleNamespace(network="hu")
    return Explanation(  # type: ignore[arg-type]
        options, scene() if of is None else of, outputs, sources or (source(),), record
    )


def test_columns_are_titled_by_wavelength():
    assert figure.column_titles(explanation(), [0, 3]) == ["400 nm", "900 nm"]
    # Where wavelengths are unknown, bands count from 1, as reports have it.
    bare = explanation(of=scene(None))
    assert figure.column_titles(bare, [0, 3]) == ["1", "4"]
    assert figure.column_titles(explanation(source("pca:3")), [0, 2]) == ["1", "3"]
    chosen = explanation(source("select:1,5", (1, 5)))
    assert figure.column_titles(chosen, [0, 1]) == ["410 nm", "920 nm"]


def test_networks_of_other_inputs_have_no_map_of_the_same_columns():
    mixed = explanation(source(), source("pca:6"))
    assert [title for title, _ in figure.rows(mixed)] == ["trained, all bands, OA 50.0%"]
    same = explanation(source(), source(label="ratio 0.5"))
    assert [title for title, _ in figure.rows(same)] == [
        "trained, OA 50.0%",
        "ratio 0.5, OA 50.0%",
    ]


def test_classes_have_their_colors():
    found = explanation()
    assert figure.class_color(found, found.outputs[1]) == (0, 0, 1)
    hidden = ExplainedOutput("conv1, filter 7", 7, np.empty(0, np.int64))
    assert figure.class_color(found, hidden) is None
    logit = ExplainedOutput("a", 0, np.empty(0, np.int64))
    assert figure.class_color(found, logit) == (1, 0, 0)


def test_importance_ends_at_gaps(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(figure, "save", lambda made, path: drawn.append(made))
    turned = replace(scene(), wavelengths=CENTERS[[0, 1, 2, 4, 3, 5]])
    figure.draw_bands(explanation(of=turned), tmp_path / "a.png")
    axes = drawn[0].axes[0]
    x = axes.lines[0].get_xdata()
    np.testing.assert_array_equal(x, [400, 410, 420, np.nan, 900, 910, 920])
    assert axes.get_xlabel() == "wavelength (nm)"
    behind = [one for one in drawn[0].axes if "stored values" in one.get_ylabel()]
    # The mean spectrum is filled in the color of its class.
    assert behind[0].collections[0].get_facecolor()[0][:3].tolist() == [1, 0, 0]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_figures_are_written(tmp_path, suffix):
    for number, one in enumerate((explanation(), explanation(source(), source("pca:6")))):
        made = figure.draw(one, tmp_path / f"x{number}", suffix)
        assert all(path.stat().st_size for path in made)
        assert len(made) == 2


def test_bands_are_printed_with_their_wavelengths():
    outputs = (OutputRecord("a", 0, 2, "select:0,3"), OutputRecord("b", 1, 2, "select:5"))
    record = ExplanationRecord(
        *(2, "saliency", None, "tensorflow", "hu", "s", False, "disjoint", 1, 6),
        outputs,
        *((), "select:3,5", "", {}, ""),
    )  # type: ignore[arg-type]
    told = format_summary(record, [], CENTERS)
    assert "a: --bands select:0,3 (400, 900 nm)" in told
    assert "Most important bands: --bands select:3,5 (900, 920 nm)" in told
    assert "--bands select:3,5 (counted from 0)" in format_summary(record, [])
