"""Training with normalization per pixel: identity of a run, statistics, refusals, its files."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from hsitf import data, runs
from hsitf.errors import DataError, InputError, LoweringError
from hsitf.export.pipeline import export
from hsitf.export.request import ExportRequest
from hsitf.export.variants import VARIANTS
from hsitf.layers import PixelNormalization
from hsitf.options import RecipeOptions, SplitChoice, TrainingOptions, training_plan
from hsitf.progress import Silent
from hsitf.records import SceneChoice, TrainingPlan
from hsitf.records.json import _adapter
from hsitf.runs import Run
from hsitf.scenes.splits import SplitOptions
from hsitf.train.compilation import build_network
from hsitf.train.normalized_bands import band_positions
from hsitf.train.pixel_normalization import PIXEL_NORMALIZATIONS, fit_pixel_normalization
from hsitf.train.run import default_run_name, train

SPLIT = SplitOptions(kind="disjoint", patch=1)


def plan(kind: str, network: str = "hu", bands: str | None = None, source="tiny.npy", **more):
    scene = SceneChoice(str(source), labels=more.pop("labels", None))
    recipe = RecipeOptions(epochs=more.pop("epochs", 2))
    training = TrainingOptions(pixel_normalization=kind, **more)
    return training_plan(network, scene, SplitChoice(), "full", recipe, training, bands)


@pytest.fixture(scope="module")
def prepared(tiny):
    return data.prepare(tiny, SPLIT)


def test_it_is_part_of_what_a_run_is():
    named = plan("snv")
    assert named.pixel_normalization == "snv"
    assert default_run_name(named) == "disjoint-custom-snv-seed0"
    assert default_run_name(plan("")) == "disjoint-custom-seed0"
    stored = _adapter(TrainingPlan).dump_python(named, mode="json")
    del stored["pixel_normalization"]
    assert _adapter(TrainingPlan).validate_python(stored) == plan("")


def test_unknown_names_and_baselines_are_refused():
    with pytest.raises(InputError, match="snv, unit, difference, continuum"):
        plan("sn")
    with pytest.raises(InputError, match="scikit-learn"):
        training_plan(
            "svm",
            SceneChoice("tiny.npy"),
            SplitChoice(),
            "full",
            training=TrainingOptions(pixel_normalization="snv"),
        )


@pytest.mark.parametrize("kind", PIXEL_NORMALIZATIONS)
def test_statistics_are_those_of_training_pixels(kind, prepared):
    layer = fit_pixel_normalization(kind, prepared)
    spectra = prepared.scene.cube.reshape(-1, prepared.bands)[prepared.split.train]
    found = layer.normalized(spectra.astype(np.float64))
    np.testing.assert_allclose(layer.center, found.mean(0))
    patches = prepared.patches.extract(prepared.split.train)
    seen = np.asarray(layer(patches))
    np.testing.assert_allclose(seen.mean((0, 1, 2)), 0, atol=1e-3)
    # Continua touch their spectra at both ends, and differences may be cut.
    assert np.all(seen.std((0, 1, 2)) < 1.01)


def test_the_network_begins_with_it_and_is_otherwise_the_same(prepared):
    keras.utils.set_random_seed(0)
    plain = build_network(plan(""), prepared)
    keras.utils.set_random_seed(0)
    network = build_network(plan("snv"), prepared)
    assert isinstance(network.layers[1], PixelNormalization)
    assert [layer.name for layer in network.layers[2:]] == [x.name for x in plain.layers[1:]]
    assert network.count_params() == plain.count_params()
    for one, other in zip(plain.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    shorter = build_network(plan("difference"), prepared)
    assert shorter.input_shape == plain.input_shape
    assert shorter.layers[1].output.shape[-1] == prepared.bands - 1


def test_selected_bands_have_their_own_statistics_and_combined_ones_none(tiny):
    chosen = data.prepare(tiny, SPLIT, bands="select:3,9,5")
    layer, bands = fit_pixel_normalization("snv", chosen), list(chosen.reducer.selected)
    assert len(bands) == 3
    np.testing.assert_array_equal(layer.offset, np.asarray(chosen.normalizer.offset)[bands])
    np.testing.assert_array_equal(layer.scale, np.asarray(chosen.normalizer.scale)[bands])
    np.testing.assert_array_equal(layer.positions, band_positions(chosen)[bands])
    with pytest.raises(InputError, match=r"pca:3.*select"):
        fit_pixel_normalization("snv", data.prepare(tiny, SPLIT, bands="pca:3"))
    with pytest.raises(InputError, match="one band"):
        fit_pixel_normalization("snv", data.prepare(tiny, SPLIT, bands="select:3"))


@pytest.mark.parametrize(
    ("kind", "value"), [("snv", 300.0), ("unit", 0.0), ("continuum", -1.0), ("difference", 0.0)]
)
def test_labelled_spectra_without_a_normalization_are_counted_and_refused(kind, value, tiny):
    cube = tiny.cube.copy()
    labelled = np.flatnonzero(tiny.labels.ravel())
    cube.reshape(-1, cube.shape[2])[labelled[::100]] = value
    broken = data.prepare(replace(tiny, cube=cube), SPLIT)
    if kind == "difference":
        assert np.isfinite(fit_pixel_normalization(kind, broken).deviation).all()
        return
    parts = broken.split
    used = np.concatenate([parts.train, parts.validation, parts.test])
    count = len(np.intersect1d(used, labelled[::100]))
    with pytest.raises(DataError, match=rf"^{count} of {len(used)} labelled pixels"):
        fit_pixel_normalization(kind, broken)


def test_a_refused_run_leaves_no_folder(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("tiny.npy", tiny.cube)
    np.save("labels.npy", tiny.labels)
    asked = training_plan(
        "hu",
        SceneChoice("tiny.npy", labels="labels.npy"),
        SplitChoice(),
        "full",
        training=TrainingOptions(pixel_normalization="snv"),
        bands="select:3",
    )
    with pytest.raises(InputError, match="one band"):
        train(asked, None, Silent())
    assert not (tmp_path / "models").exists()


def test_bands_at_one_wavelength_have_no_continuum(tiny):
    same = replace(tiny, wavelengths=np.full(tiny.bands, 500.0))
    with pytest.raises(DataError, match="different wavelengths"):
        fit_pixel_normalization("continuum", data.prepare(same, SPLIT))


@pytest.fixture(scope="module")
def files(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixels")
    np.save(folder / "tiny.npy", tiny.cube)
    np.save(folder / "labels.npy", tiny.labels)
    return folder


def trained(files, kind: str, **more) -> Run:
    chosen = plan(
        kind, source=files / "tiny.npy", labels=str(files / "labels.npy"), epochs=12, **more
    )
    return train(chosen, None, Silent(), files / "models")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["snv", "difference"])
def test_files_that_take_counts_are_integer_and_as_accurate(kind, files):
    run = trained(files, kind)
    assert run.record.components == 24
    variants = tuple(VARIANTS[name] for name in ("float32", "int8"))
    request = ExportRequest(variants, root=files / "export", fold_preprocessing=True)
    bundles, refused = export(run, request, Silent())
    assert not refused
    float32, int8 = (bundle.record for bundle in bundles)
    assert float32.relative_logit_error < 1e-3
    assert int8.integer_share == 1
    assert int8.input.dtype == "int16"
    assert int8.agreement > 0.95
    assert int8.oa_keras - int8.oa < 0.01


@pytest.mark.slow
def test_continuum_removal_has_float_files_alone(files):
    run = trained(files, "continuum")
    request = ExportRequest((VARIANTS["float32"],), root=files / "export")
    ((bundle,), refused) = export(run, request, Silent())
    assert not refused
    assert bundle.record.agreement == 1
    with pytest.raises(LoweringError, match="integer form"):
        export(run, ExportRequest((VARIANTS["int8"],), root=files / "export"), Silent())
    assert runs.load_network(run.folder / runs.NETWORK).layers[1].kind == "continuum"
