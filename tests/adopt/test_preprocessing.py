from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler

from hsitf.adopt.preprocessing.options import (
    PreprocessingOptions,
    count_components,
    prepare_preprocessing,
)
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.scenes.splits import SplitOptions, split


@pytest.fixture(scope="module")
def parts(tiny):
    return split(tiny.labels, SplitOptions(patch=1), class_names=tiny.class_names)


@pytest.fixture
def prepared(tiny, parts):
    def prepare(**options):
        chosen = PreprocessingOptions(**options)
        found = prepare_preprocessing(chosen, tiny, parts)
        assert found.components == count_components(chosen, tiny)
        return found

    return prepare


def spectra_of(scene):
    return scene.cube.reshape(-1, scene.bands)


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("none", lambda x, of: x),
        ("standard", lambda x, of: (x - of.mean()) / of.std()),
        ("minmax", lambda x, of: (x - of.min()) / (of.max() - of.min())),
        ("band-standard", lambda x, of: (x - of.mean(0)) / of.std(0)),
        ("band-minmax", lambda x, of: (x - of.min(0)) / (of.max(0) - of.min(0))),
    ],
)
@pytest.mark.parametrize("statistics", ["training", "scene"])
def test_normalizations_by_name(tiny, parts, prepared, name, by_hand, statistics):
    spectra = spectra_of(tiny).astype(np.float64)
    sample = spectra[parts.train] if statistics == "training" else spectra
    found = prepared(normalize=name, statistics=statistics)
    received = found.apply(tiny.cube).reshape(spectra.shape)
    np.testing.assert_allclose(received, by_hand(spectra, sample), rtol=1e-4, atol=1e-4)


def test_a_band_that_is_constant_is_left_unscaled(tiny, parts):
    from dataclasses import replace

    cube = tiny.cube.copy()
    cube[..., 3] = 7
    found = prepare_preprocessing(
        PreprocessingOptions("band-minmax"), replace(tiny, cube=cube), parts
    )
    assert found.normalizer.scale[3] == 1
    assert not found.apply(cube)[..., 3].any()


def test_bands_in_reverse_order(tiny, prepared):
    plain = prepared(normalize="none").apply(tiny.cube)
    np.testing.assert_array_equal(
        prepared(normalize="none", reverse_bands=True).apply(tiny.cube), plain[..., ::-1]
    )
    standard = prepared(reverse_bands=True).apply(tiny.cube)
    np.testing.assert_allclose(standard, prepared().apply(tiny.cube)[..., ::-1], atol=1e-5)


def test_whitened_components_of_a_scene_as_published_code_makes_them(tiny, prepared):
    spectra = spectra_of(tiny)
    expected = PCA(3, whiten=True).fit_transform(spectra.astype(np.float64))
    found = prepared(normalize="none", statistics="scene", bands="pca:3")
    received = found.apply(tiny.cube).reshape(len(spectra), 3)
    np.testing.assert_allclose(received, expected, rtol=2e-3, atol=2e-3)
    assert found.reducer.spec == PreprocessingOptions(bands="pca:3").bands == "pca-whiten:3"


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        MinMaxScaler(),
        PCA(4),
        PCA(4, whiten=True),
        make_pipeline(StandardScaler(), PCA(4, whiten=True)),
        make_pipeline(MinMaxScaler(), StandardScaler()),
    ],
)
def test_fitted_objects_become_numbers(tiny, prepared, transformer):
    spectra = spectra_of(tiny).astype(np.float64)
    expected = transformer.fit_transform(spectra)
    received = prepared(normalize=transformer).apply(tiny.cube).reshape(expected.shape)
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("transformer", "message"),
    [
        (PolynomialFeatures(2), "not affine"),
        (StandardScaler(), "cannot transform"),
        (3, "no preprocessing"),
    ],
)
def test_objects_that_cannot_be_numbers(tiny, parts, transformer, message):
    if isinstance(transformer, PolynomialFeatures):
        transformer.fit(spectra_of(tiny))
    with pytest.raises(InputError, match=message):
        prepare_preprocessing(PreprocessingOptions(transformer), tiny, parts)


CENTER = [float(band) for band in range(24)]


def test_a_file_of_mean_and_scale(tiny, prepared, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"mean": CENTER, "scale": 4.0}))
    received = prepared(normalize=str(path)).apply(tiny.cube)
    np.testing.assert_allclose(received, (tiny.cube - np.arange(24)) / 4, rtol=1e-5)


def test_a_file_of_bands_in_the_order_of_the_network(tiny, prepared, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"bands": [5, 2, 9], "mean": [1, 2, 3], "scale": [2, 4, 8]}))
    received = prepared(normalize=path).apply(tiny.cube)
    expected = (tiny.cube[..., [5, 2, 9]] - [1, 2, 3]) / [2, 4, 8]
    np.testing.assert_allclose(received, expected, rtol=1e-5)


@pytest.mark.parametrize("centered", [False, True])
def test_a_file_of_components(tiny, prepared, tmp_path, centered):
    fitted = PCA(3, whiten=True).fit(spectra_of(tiny).astype(np.float64))
    content = {
        "components": fitted.components_,
        "component_mean": fitted.mean_,
        "component_scale": np.sqrt(fitted.explained_variance_),
    }
    if centered:
        content |= {"mean": fitted.mean_, "component_mean": 0.0}
    np.savez(tmp_path / "p.npz", **content)
    received = prepared(normalize=tmp_path / "p.npz").apply(tiny.cube).reshape(-1, 3)
    expected = fitted.transform(spectra_of(tiny).astype(np.float64))
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"mean": [1, 2]}, "mean of .* does not fit"),
        ({"scale": 0}, "scale of .* is out of range"),
        ({"scale": [1.0] * 23 + [-1]}, "out of range"),
        ({"mean": float("nan")}, "out of range"),
        ({"bands": [0, 0]}, "no selection"),
        ({"bands": [24]}, "no selection"),
        ({"bands": [0.5]}, "no selection"),
        ({"components": [[1, 2]]}, "do not fit the bands"),
        ({"component_mean": 0}, "lacks components"),
        ({"std": 1}, "no part of preprocessing"),
        ([1, 2], "does not hold preprocessing"),
        ({"mean": "a"}, "does not hold preprocessing"),
    ],
)
def test_files_that_do_not_fit(tiny, parts, tmp_path, content, message):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(content))
    with pytest.raises(HsitfError, match=message):
        prepare_preprocessing(PreprocessingOptions(path), tiny, parts)


def test_files_that_are_none(tiny, parts, tmp_path):
    with pytest.raises(InputError, match="no file of preprocessing"):
        PreprocessingOptions(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"unknown normalization 'standart'.*did you mean"):
        PreprocessingOptions("standart")
    (tmp_path / "p.npz").write_bytes(b"PK damaged")
    with pytest.raises(DataError, match="does not hold preprocessing"):
        prepare_preprocessing(PreprocessingOptions(tmp_path / "p.npz"), tiny, parts)
    np.savez(tmp_path / "o.npz", mean=np.array([{"a": 1}], object))
    with pytest.raises(DataError, match="does not hold preprocessing"):
        prepare_preprocessing(PreprocessingOptions(tmp_path / "o.npz"), tiny, parts)


def test_options_that_contradict_each_other(tmp_path):
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(InputError, match="holds its band reduction itself"):
        PreprocessingOptions(tmp_path / "p.json", bands="pca:3")
    with pytest.raises(InputError, match="cannot be given together"):
        PreprocessingOptions(bands="pca:3", reverse_bands=True)
    with pytest.raises(InputError, match="unknown statistics"):
        PreprocessingOptions(statistics="all")


def test_reductions_that_need_labels_are_not_fitted_to_a_scene(tiny, parts):
    options = PreprocessingOptions(statistics="scene", bands="lda:2")
    with pytest.raises(InputError, match="learns from labels"):
        prepare_preprocessing(options, tiny, parts)


def test_pixels_without_data_are_in_no_statistics(tiny, parts):
    from dataclasses import replace

    cube = tiny.cube.copy()
    cube[:2] = np.nan
    labels = tiny.labels.copy()
    labels[:2] = 0
    scene = replace(tiny, cube=cube, labels=labels)
    spectra = cube[2:].reshape(-1, tiny.bands).astype(np.float64)
    found = prepare_preprocessing(PreprocessingOptions(statistics="scene"), scene, parts)
    np.testing.assert_allclose(found.normalizer.offset, spectra.mean(axis=0), rtol=1e-6)
    reduced = PreprocessingOptions(statistics="scene", bands="pca:3")
    assert np.isfinite(prepare_preprocessing(reduced, scene, parts).apply(cube[2:])).all()
    scaler = StandardScaler().fit(spectra)
    assert count_components(PreprocessingOptions(scaler), scene) == tiny.bands
