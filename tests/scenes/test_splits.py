from pathlib import Path

import numpy as np
import pytest

from hsitf.errors import DataError, InputError
from hsitf.scenes.splits import INDIAN_PINES_DISJOINT, Split, SplitOptions, leakage, remap, split

DATA = Path(__file__).parents[2] / "../shared/data"


def fields(rows=40, cols=44):
    """Six fields of three classes with a lane of unlabelled ground between them."""
    labels = np.zeros((rows, cols), np.int32)
    for i, (row, col) in enumerate(np.ndindex(2, 3)):
        labels[row * 21 : row * 21 + 19, col * 15 : col * 15 + 14] = (i + row) % 3 + 1
    return labels


def real(file, variable):
    if not (DATA / file).exists():
        pytest.skip(f"{file} is not in ../shared/data")
    from scipy.io import loadmat

    return loadmat(DATA / file)[variable]


def least_distance(first, second, cols):
    (r, c), (s, d) = np.divmod(first, cols), np.divmod(second, cols)
    return np.maximum(abs(r[:, None] - s), abs(c[:, None] - d)).min()


def by_hand(train, test, shape):
    pixels = [np.array(p, np.int64) for p in (train, [], test)]
    return Split("fixed", *pixels, guard=0, seed=0, shape=shape)


@pytest.mark.parametrize("kind", ["disjoint", "random"])
@pytest.mark.parametrize("patch", [1, 5])
def test_sets_are_labelled_and_do_not_intersect(kind, patch):
    labels = fields()
    result = split(labels, SplitOptions(kind, patch=patch))
    together = np.concatenate(result.sets)
    assert len(np.unique(together)) == len(together)
    assert labels.flat[together].all()
    assert result.unused == np.count_nonzero(labels) - len(together)
    for pixels in result.sets:
        assert set(labels.flat[pixels]) == {1, 2, 3}
        assert (np.diff(pixels) > 0).all()


@pytest.mark.parametrize("kind", ["disjoint", "random"])
def test_seed_decides_the_split(kind):
    first, again, other = (split(fields(), SplitOptions(kind, seed=s)) for s in (3, 3, 4))
    assert np.array_equal(first.zones(), again.zones())
    assert not np.array_equal(first.zones(), other.zones())


@pytest.mark.parametrize(("patch", "guard"), [(1, None), (3, None), (4, None), (6, None), (1, 6)])
def test_disjoint_sets_are_further_apart_than_the_guard(patch, guard):
    result = split(fields(), SplitOptions(patch=patch, guard=guard))
    assert result.guard == (patch - 1 if guard is None else guard)
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        assert least_distance(result.sets[i], result.sets[j], 44) > result.guard
    assert leakage(result, patch).patch == leakage(result, patch).pixel == 0


def test_disjoint_comes_near_the_shares():
    result = split(fields(), SplitOptions(train=0.5, validation=0.4, patch=3))
    sizes = np.array([len(pixels) for pixels in result.sets])
    assert sizes / sizes.sum() == pytest.approx([0.3, 0.2, 0.5], abs=0.06)
    assert sizes.sum() > 0.85 * np.count_nonzero(fields())


def test_disjoint_without_validation():
    result = split(fields(), SplitOptions(validation=0, patch=3))
    assert len(result.validation) == 0
    assert result.unvalidated == ()


def test_disjoint_does_not_mind_gaps_in_the_class_numbers():
    labels = np.array([0, 1, 10, 14], np.int32)[fields()]
    assert set(labels.flat[split(labels, SplitOptions(patch=3)).test]) == {1, 10, 14}


def test_class_that_cannot_be_cut_is_named():
    labels = fields()
    labels[labels == 3] = 0
    labels[:5, 30:36] = 3
    with pytest.raises(DataError, match=r"Oats \(30 pixels, 6 across\).*--drop-class 'Oats'"):
        split(labels, SplitOptions(patch=7), class_names=["Corn", "Hay", "Oats"])


def test_class_too_small_for_three_regions_goes_unvalidated():
    labels = fields()
    labels[labels == 3] = 0
    labels[:2, 30:36] = 3  # 6 pixels across: two sets 5 apart fit, three do not
    result = split(labels, SplitOptions(patch=5))
    assert result.unvalidated == (3,)
    assert 3 in labels.flat[result.train]
    assert 3 in labels.flat[result.test]


def test_random_sizes_are_exact():
    labels = np.repeat([0, 1, 2, 3], [5, 10, 25, 60]).reshape(10, 10)
    result = split(labels, SplitOptions("random", train=0.8, validation=0.25))
    assert [len(pixels) for pixels in result.sets] == [57, 19, 19]
    assert np.bincount(labels.flat[result.test]).tolist() == [0, 2, 5, 12]
    assert np.bincount(labels.flat[result.validation]).tolist() == [0, 2, 5, 12]


def test_random_number_a_class():
    labels = np.repeat([0, 1, 2], [10, 30, 60]).reshape(10, 10)
    result = split(labels, SplitOptions("random", train=10, validation=0.2))
    assert np.bincount(labels.flat[result.train]).tolist() == [0, 8, 8]
    assert np.bincount(labels.flat[result.validation]).tolist() == [0, 2, 2]
    assert np.bincount(labels.flat[result.test]).tolist() == [0, 20, 50]
    with pytest.raises(DataError, match=r"class 1 \(30 pixels"):
        split(labels, SplitOptions("random", train=30))


def test_random_keeps_a_pixel_of_rare_classes_in_each_set():
    labels = np.repeat([1, 2, 3], [3, 2, 95]).reshape(10, 10)
    result = split(labels, SplitOptions("random", train=0.9, validation=0.1))
    zones = result.zones()
    assert np.sort(zones[labels == 1]).tolist() == [1, 2, 3]
    assert np.sort(zones[labels == 2]).tolist() == [1, 3]
    assert result.unvalidated == (2,)


def test_fixed_takes_the_map_and_tests_on_the_rest():
    labels = np.array([[1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 0]])
    train = np.array([[1, 1, 1, 2, 2, 0], [0, 0, 0, 0, 0, 2]])
    result = split(labels, SplitOptions("fixed", validation=0.4), train_map=train)
    assert sorted([*result.train, *result.validation]) == [0, 1, 2, 3, 4]
    assert len(result.validation) == 2
    assert result.test.tolist() == [5, 6, 7, 8, 9, 10]
    assert result.unused == 1


def test_validation_regions_of_a_fixed_split_touch_no_training_patch():
    labels = fields()
    train_map = np.where(np.arange(labels.shape[1]) % 15 < 10, labels, 0)
    options = SplitOptions("fixed", patch=3, validation_regions=True)
    result = split(labels, options, train_map=train_map)
    assert least_distance(result.train, result.validation, 44) > 2
    assert set(labels.flat[result.train]) == set(labels.flat[result.validation]) == {1, 2, 3}
    # What is neither is given up between the two; the test set is the map's.
    assert len(result.train) + len(result.validation) + result.unused == (train_map > 0).sum()
    assert 0.12 < len(result.validation) / (train_map > 0).sum() < 0.28
    assert (result.test == np.flatnonzero((labels > 0) & (train_map == 0))).all()
    drawn = split(labels, SplitOptions("fixed", patch=3), train_map=train_map)
    assert least_distance(drawn.train, drawn.validation, 44) == 1


def test_a_class_too_small_for_a_validation_region_stays_in_training():
    labels = fields()
    labels[0, :3] = 4
    labels[39, 43] = 4
    train_map = np.where(np.arange(labels.shape[1]) % 15 < 13, labels, 0)
    options = SplitOptions("fixed", patch=9, validation_regions=True)
    result = split(labels, options, train_map=train_map)
    assert result.unvalidated == (4,)
    assert 4 in labels.flat[result.train]


@pytest.mark.parametrize(("kind", "regions"), [("disjoint", False), ("random", True)])
def test_where_to_validate_is_no_choice_of_some_splits(kind, regions):
    with pytest.raises(InputError, match="no choice of where it validates"):
        SplitOptions(kind, validation_regions=regions)


def test_fixed_with_a_test_map():
    labels = np.array([[1, 1, 1, 2, 2, 2]])
    maps = {"train_map": np.array([[1, 0, 0, 2, 0, 0]]), "test_map": np.array([[0, 1, 0, 0, 2, 0]])}
    result = split(labels, SplitOptions("fixed", validation=0), **maps)
    assert (result.test.tolist(), result.unused) == ([1, 4], 2)
    maps["test_map"][0, 0] = 1
    with pytest.raises(DataError, match="share pixels"):
        split(labels, SplitOptions("fixed"), **maps)


@pytest.mark.parametrize(
    ("train_map", "message"),
    [
        (np.ones((3, 3), int), "another size"),
        (np.array([[2, 0, 1, 0]]), "numbers the classes differently"),
        (np.array([[1, 0, 0, 0]]), r"class 2 \(2 pixels"),
        (np.array([[1, 1, 2, 0]]), r"class 1 \(2 pixels"),
    ],
)
def test_fixed_refuses_maps_that_do_not_fit(train_map, message):
    with pytest.raises(DataError, match=message):
        split(np.array([[1, 1, 2, 2]]), SplitOptions("fixed"), train_map=train_map)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "randon"},
        {"patch": 0},
        {"validation": 1.0},
        {"train": 200},
        {"train": 1.5},
        {"kind": "random", "train": 0},
        {"kind": "fixed", "train": 0.5},
        {"kind": "random", "guard": 3},
        {"guard": -1},
    ],
)
def test_options_out_of_range(options):
    with pytest.raises(InputError):
        SplitOptions(**options)


def test_maps_and_kind_have_to_agree():
    with pytest.raises(InputError, match="needs the label map"):
        split(fields(), SplitOptions("fixed"))
    with pytest.raises(InputError, match="no use for"):
        split(fields(), SplitOptions("random"), train_map=fields())


def test_nothing_labelled():
    with pytest.raises(DataError, match="nothing to split"):
        split(np.zeros((4, 4), int))


@pytest.mark.parametrize(
    ("patch", "pixel", "shared"),
    [
        (1, 0, 0),
        (2, 1 / 6, 1 / 6),  # the even patch reaches one back and none ahead: only pixel 5
        (3, 1 / 6, 2 / 6),
        (4, 2 / 6, 3 / 6),  # two back, one ahead
        (5, 2 / 6, 4 / 6),
    ],
)
def test_leakage_by_hand(patch, pixel, shared):
    result = by_hand([4], [5, 6, 7, 8, 9, 10], (1, 12))
    assert leakage(result, patch).pixel == pytest.approx(pixel)
    assert leakage(result, patch).patch == pytest.approx(shared)


def test_even_patches_reach_further_back_than_ahead():
    ahead = by_hand([6], [5], (1, 12))
    assert leakage(ahead, 2).pixel == 0
    assert leakage(ahead, 2).patch == 1


def test_leakage_of_columns_and_rows_counts_the_larger():
    result = by_hand([0], [2 * 10 + 1], (10, 10))
    assert [leakage(result, p).pixel for p in (3, 5)] == [0, 1]
    assert [leakage(result, p).patch for p in (2, 3)] == [0, 1]


def test_remap():
    assert remap(np.array([[0, 1, 2]]), [0, 5, 3]).tolist() == [[0, 5, 3]]
    with pytest.raises(DataError, match="does not renumber"):
        remap(np.array([[3]]), [0, 5, 3])


def test_indian_pines_published_training_map():
    labels = real("Indian_pines_gt.mat", "indian_pines_gt")
    published = real("indianpines_disjoint_dset.mat", "indianpines_disjoint_dset")
    with pytest.raises(DataError, match="numbers the classes differently"):
        split(labels, SplitOptions("fixed"), train_map=published)
    train_map = remap(published, INDIAN_PINES_DISJOINT)
    result = split(labels, SplitOptions("fixed", validation=0), train_map=train_map)
    assert np.count_nonzero(train_map) == 5689
    assert (len(result.train), result.unused, len(result.test)) == (5538, 151, 4711)
    assert leakage(result, 7).pixel == pytest.approx(0.56, abs=0.01)


@pytest.mark.parametrize(("patch", "pixel", "shared"), [(5, 0.886, 0.995), (7, 0.98, 0.999)])
def test_indian_pines_random_leakage(patch, pixel, shared):
    labels = real("Indian_pines_gt.mat", "indian_pines_gt")
    seen = leakage(split(labels, SplitOptions("random", train=0.1, validation=0)), patch)
    assert seen.pixel == pytest.approx(pixel, abs=0.012)
    assert seen.patch == pytest.approx(shared, abs=0.01)


def test_indian_pines_disjoint_keeps_most_pixels():
    labels = real("Indian_pines_gt.mat", "indian_pines_gt")
    result = split(labels, SplitOptions(patch=5))
    assert leakage(result, 5).patch == 0
    assert result.unused < 0.25 * np.count_nonzero(labels)


def test_a_mask_says_which_pixels_are_trained_on():
    """And numbers with gaps, in the order of the classes, are the same classes."""
    labels = np.repeat([[1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]], 6, axis=0)
    mask = np.zeros_like(labels)
    mask[:3] = 1
    options = SplitOptions(kind="fixed", validation=0)
    by_mask = split(labels, options, train_map=mask)
    by_numbers = split(labels, options, train_map=np.where(mask, labels * 10 + 1, 0))
    np.testing.assert_array_equal(by_mask.train, np.flatnonzero(mask))
    np.testing.assert_array_equal(by_numbers.train, by_mask.train)
    with pytest.raises(DataError, match="marks no labelled pixel"):
        split(labels, options, train_map=np.zeros_like(labels))
    with pytest.raises(DataError, match="marks every labelled pixel"):
        split(labels, options, train_map=labels)


def mixed_neighbors(parts):
    """Share of neighboring pairs of pixels in sets that lie in different ones."""
    zones = parts.zones()
    pairs = [(zones[1:], zones[:-1]), (zones[:, 1:], zones[:, :-1])]
    both = sum(int(((a > 0) & (b > 0)).sum()) for a, b in pairs)
    return sum(int(((a > 0) & (b > 0) & (a != b)).sum()) for a, b in pairs) / both


def test_regions_are_coherent_without_a_guard():
    """A spectral network needs no guard, and yet no test pixel lies among training pixels."""
    labels = np.repeat(np.repeat([[1, 2, 1], [3, 1, 2], [2, 3, 3]], 20, axis=0), 20, axis=1)
    parts = split(labels, SplitOptions(patch=1))
    assert parts.guard == 0
    assert sum(map(len, parts.sets)) == labels.size
    # Three regions on 60 x 60 pixels share borders of a few hundred of 7,080 pairs.
    assert mixed_neighbors(parts) < 0.05
    per_class = [np.bincount(labels.flat[pixels], minlength=4)[1:] for pixels in parts.sets]
    assert (np.array(per_class) > 0).all()
