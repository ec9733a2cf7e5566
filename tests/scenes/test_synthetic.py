import numpy as np
import pytest

from hsitf.errors import InputError
from hsitf.scenes.splits import SplitOptions, leakage, split
from hsitf.scenes.synthetic import COVERS, MATERIALS, fields, synthesize


@pytest.fixture(scope="module")
def scene():
    return fields()


def band(scene, nanometers):
    return int(abs(scene.wavelengths - nanometers).argmin())


def test_shape_and_description(scene):
    assert scene.cube.shape == (145, 145, 200)
    assert scene.cube.dtype == np.float32
    assert (scene.name, scene.synthetic, scene.classes) == ("fields", True, 16)
    assert scene.wavelengths[[0, -1]].tolist() == [400, 2500]
    assert abs(scene.wavelengths[list(scene.rgb_bands)] - [640, 550, 460]).max() < 6


def test_counts_are_whole_and_plausible(scene):
    assert np.array_equal(scene.cube, np.rint(scene.cube))
    assert scene.cube.min() >= 0
    assert scene.cube.max() < 10_000


def test_class_sizes_are_unequal(scene):
    sizes = np.bincount(scene.labels.ravel())
    assert 0.4 < sizes[0] / scene.labels.size < 0.5
    assert 30 <= sizes[1:].min() <= 60
    assert sizes[1:].max() > 2000


def test_seed_decides_the_scene():
    first, again, other = (synthesize("tiny", 40, 40, 30, 4, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.cube, again.cube)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.labels, other.labels)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_class_can_be_split_at_patch_nine(scene, seed):
    result = split(scene.labels, SplitOptions(patch=9, seed=seed))
    assert leakage(result, 9).patch == 0
    assert result.unused < 0.25 * np.count_nonzero(scene.labels)
    for pixels in (result.train, result.test):
        assert np.bincount(scene.labels.flat[pixels], minlength=17)[1:].min() >= 5


@pytest.mark.parametrize("seed", range(3))
def test_tiny_scenes_hold_all_classes_and_can_be_split(seed):
    tiny = synthesize("tiny", 40, 40, 30, 4, seed)
    assert set(np.unique(tiny.labels)) == {0, 1, 2, 3, 4}
    result = split(tiny.labels, SplitOptions(patch=3, seed=seed))
    assert result.unvalidated == ()


def test_leaves_have_a_red_edge_and_water_bands(scene):
    woods = 1 + scene.class_names.index("Woods")
    mean = scene.cube[scene.labels == woods].mean(axis=0)
    assert mean[band(scene, 550)] > 1.2 * mean[band(scene, 670)]
    assert mean[band(scene, 860)] > 5 * mean[band(scene, 670)]
    assert mean[band(scene, 1450)] < 0.7 * mean[band(scene, 1650)]


@pytest.mark.parametrize("name", MATERIALS)
def test_materials_reflect_between_none_and_all(name):
    spectrum = MATERIALS[name].reflectance(np.linspace(400, 2500, 200))
    assert spectrum.min() >= 0
    assert spectrum.max() < 1


def test_noise_is_worst_where_water_vapor_absorbs(scene):
    rough = np.abs(np.diff(scene.cube, n=2, axis=2)).mean(axis=(0, 1))
    assert rough[band(scene, 1875) - 1] > 3 * rough[band(scene, 1000) - 1]


def test_fields_share_their_spectra(scene):
    # What lies side by side is alike: the mean of neighbors tells more than the pixel alone.
    between = scene.cube[:, 1:, 40] - scene.cube[:, :-1, 40]
    shuffled = np.random.default_rng(0).permutation(scene.cube[..., 40].ravel())
    assert between.std() < 0.7 * np.diff(shuffled).std()


@pytest.mark.parametrize(
    "sizes", [(8, 40, 30, 4), (40, 40, 2, 4), (40, 40, 30, 0), (40, 40, 30, len(COVERS) + 1)]
)
def test_sizes_out_of_range(sizes):
    with pytest.raises(InputError):
        synthesize("tiny", *sizes)


def test_too_many_classes_for_the_room():
    with pytest.raises(InputError, match="do not fit"):
        synthesize("tiny", 32, 32, 3, 16)
