"""A compression from the trained network to the published file."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hsitf
from hsitf import records
from hsitf.bounds import Bounds
from hsitf.compress import search
from hsitf.compress.bounds import CompressionBounds
from hsitf.compress.fidelity import fields_of
from hsitf.compress.preparation import check_validation
from hsitf.compress.record import CompressionCandidate
from hsitf.compress.request import CompressionRequest, SearchOptions
from hsitf.compress.run import Compression, compress
from hsitf.compress.table import format_compression
from hsitf.cost import cost
from hsitf.errors import InputError, VerificationError
from hsitf.export.variants import VARIANTS
from hsitf.progress import Silent
from hsitf.prune.plans import PruningPlan
from hsitf.prune.thinning import thin
from hsitf.records import TeacherRun, TflmReport
from hsitf.runs import Run
from hsitf.train.unseen import taught_pixels, unseen_pixels

# What nothing on the path meets: such a search ends before it judges and exports.
IMPOSSIBLE = CompressionRequest(
    CompressionBounds(max_bytes=1000), SearchOptions(epochs=1), minutes=60
)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("user"))
        patch.setattr("hsitf.compress.schedule.MAX_STEPS", 2)
        np.save("tiny.npy", tiny.cube)
        np.save("labels.npy", tiny.labels)
        scene = hsitf.load_scene("tiny.npy", labels="labels.npy")
        yield hsitf.train_network("hu", scene, epochs=6, batch_size=50, run="origin")


@pytest.fixture(scope="module")
def found(trained):
    return trained.compress(max_drop=90.0, max_bytes=30_000, epochs=1, minutes=60, controls=True)


@pytest.fixture(scope="module")
def done(found):
    return Compression(found.record, found.network.run, found.file.bundle)


def test_the_published_file_is_the_chosen_candidate(trained, done):
    record = done.record
    by_key = {one.key: one for one in record.candidates}
    chosen = by_key[record.chosen]
    assert record.steps[0] == "original"
    assert record.steps[-1] == record.chosen
    assert done.bundle.record.bytes == chosen.costs["bytes"] <= 30_000
    assert done.bundle.record.sha256 == chosen.file_sha256
    assert done.bundle.record.bytes < by_key["original"].costs["bytes"]
    assert done.bundle.record.integer_share == 1
    assert record.bytes_float32 > 2 * by_key["original"].costs["bytes"]
    network = done.run.network()
    assert network.count_params() == chosen.parameters == cost(network).parameters
    assert done.run.record.pruning.origin_sha256 == trained.record.sha256


def test_files_are_lowered_as_they_are_smallest(trained, done, tmp_path):
    """Few channels in groups of neighboring bands hold zeros, which a narrow network gains by."""
    original = done.record.candidates[0]
    sizes = {}
    for alignment in (1, 8, 32):
        file = trained.export(
            "int8",
            out=tmp_path / str(alignment),
            channel_alignment=alignment,
            fold_preprocessing=False,
        )
        sizes[alignment] = file.record.bytes
    assert original.costs["bytes"] == min(sizes.values()) < sizes[32]
    assert sizes[original.channel_alignment] == min(sizes.values())
    assert done.bundle.record.channel_alignment == next(
        one.channel_alignment
        for one in done.record.candidates
        if one.step.key == done.record.chosen
    )


@pytest.mark.parametrize(("slower", "kept"), [(2.0, {32}), (1.02, {1, 8})])
def test_the_fastest_file_is_kept_where_speed_counts(trained, tmp_path, monkeypatch, slower, kept):
    """Of files as fast as each other, but for noise, the smallest."""

    def measured(files, *_):
        return {name: 1.0 if "/32/" in name else slower for name in files}

    monkeypatch.setattr("hsitf.compress.candidate_builder.latency_ms", measured)
    done = trained.compress(
        max_latency_ms=1e6, epochs=1, minutes=60, run=f"fast-{slower}", out=tmp_path
    )
    assert done.record.candidates[0].channel_alignment in kept
    assert done.file.record.channel_alignment in kept


def test_what_is_kept_of_the_original_is_recorded(trained, done):
    plan = PruningPlan.load(done.run.folder / "channels.json")
    again = thin(trained.model, plan)
    shapes = [weight.shape for weight in again.weights]
    assert shapes == [weight.shape for weight in done.run.network().weights]


def test_costs_fall_along_the_path(done):
    cuts = [one for one in done.record.candidates if one.step.kind in ("original", "cut")]
    path = [one for one in cuts if one.share in {1.0, 0.65, 0.65**2}]
    assert len(path) == 3
    sizes = [one.parameters for one in path]
    assert sizes == sorted(sizes, reverse=True)
    for one in cuts[1:]:
        assert one.parameters <= one.share * cuts[0].parameters


def test_controls_cost_the_same(done):
    by_kind = {one.step.kind: one for one in done.record.candidates}
    chosen = next(one for one in done.record.candidates if one.key == done.record.chosen)
    assert by_kind["same widths, from nothing"].parameters == chosen.parameters
    assert by_kind["one uniform cut by l2"].parameters <= chosen.share * 1.001 * (
        done.record.candidates[0].parameters
    )
    assert set(done.record.final_evaluations) >= {
        "original",
        done.record.chosen,
        by_kind["one uniform cut by l2"].key,
    }


def test_test_pixels_only_evaluate(trained, done):
    judged = done.record.final_evaluations[done.record.chosen]
    test = trained.run.data().split.test
    assert judged.pixels == len(test)
    assert judged.before["oa"] == pytest.approx(trained.record.scores.oa)
    assert judged.after["oa"] == pytest.approx(done.bundle.record.oa)
    assert judged.drop.points == pytest.approx(100 * (judged.before["oa"] - judged.after["oa"]))
    compared = unseen_pixels(trained.run.data())
    assert len(compared)
    assert not np.isin(compared, np.concatenate(trained.run.split().sets)).any()
    assert not np.isin(compared, taught_pixels(trained.run.data())).any()


def test_the_table_says_what_was_lost(done):
    text = format_compression(done.record)
    assert "at most 90 points of OA lost; file, bytes at most 30,000" in text
    assert "int8 alone" in text
    assert f"On {done.record.final_evaluations[done.record.chosen].pixels:,} test pixels" in text


def test_the_front_is_a_table_and_a_figure(done):
    folder = done.run.folder
    with (folder / "front.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = [one for one in done.record.candidates if one.step.kind in ("original", "cut")]
    assert [row["candidate"] for row in rows] == [one.key for one in found]
    assert {row["candidate"] for row in rows if row["front"] == "True"} == set(done.record.front)
    assert (folder / "front.png").stat().st_size > 10_000
    assert (folder / "compression.json").is_file()


def copied(done: Compression, name: str) -> Path:
    """The finished search in a folder of its own."""
    folder = done.run.folder.parent / name
    shutil.copytree(done.run.folder, folder)
    return folder


def test_another_bound_uses_the_same_candidates(trained, done, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "hsitf.compress.candidate_builder.CandidateBuilder.finish",
        lambda *a, **k: pytest.fail("made again"),
    )
    folder = copied(done, "other")
    (folder / "front.csv").unlink()
    with pytest.raises(VerificationError, match="the nearest, cut-"):
        compress(trained.run, IMPOSSIBLE, "other", Silent(), root=tmp_path)
    assert (folder / "front.csv").is_file()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_search_resumes_with_the_same_result(trained, done, monkeypatch):
    original = search.Search._cut

    def killed(self, parent, share):
        if parent.key != "original":
            raise KeyboardInterrupt
        return original(self, parent, share)

    with monkeypatch.context() as patch:
        patch.setattr(search.Search, "_cut", killed)
        with pytest.raises(KeyboardInterrupt):
            compress(trained.run, IMPOSSIBLE, "again", Silent())
    with pytest.raises(VerificationError):
        compress(trained.run, IMPOSSIBLE, "again", Silent())
    again = done.run.folder.parent / "again" / "search"
    for one in done.record.candidates:
        if one.step.kind in ("original", "cut"):
            known = records.read(CompressionCandidate, again / one.key / "candidate.json")
            assert (known.fidelity, known.file_sha256) == (one.fidelity, one.file_sha256)


def test_another_request_needs_another_folder(trained, done):
    other = replace(IMPOSSIBLE, options=SearchOptions(epochs=3))
    with pytest.raises(InputError, match="epochs 3, the candidates there have 1"):
        compress(trained.run, other, None, Silent())
    other = replace(IMPOSSIBLE, bounds=CompressionBounds(max_macs=10))
    with pytest.raises(InputError, match="cost that is reduced macs"):
        compress(trained.run, other, None, Silent())


def test_another_measure_of_accuracy_is_compared_anew(trained, done, tmp_path):
    folder = copied(done, "kappa")
    bounds = CompressionBounds(max_drop=90.0, metric="kappa", max_bytes=1000)
    with pytest.raises(VerificationError, match="points of kappa lost"):
        compress(trained.run, replace(IMPOSSIBLE, bounds=bounds), "kappa", Silent(), root=tmp_path)
    with (folder / "front.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    sums = [float(row["drop"]) + 100 * float(row["kappa"]) for row in rows]
    assert sums == pytest.approx([sums[0]] * len(rows))
    assert len({row["kappa"] for row in rows}) > 1


def test_what_meets_the_bounds_already_is_not_cut(trained, done, tmp_path):
    folder = copied(done, "whole")
    pruning = done.run.record.pruning
    teacher = TeacherRun("elsewhere", "f" * 64)
    taught = replace(pruning, distillation=replace(pruning.distillation, teacher=teacher))
    origin = Run(trained.run.folder, replace(trained.record, pruning=taught))
    request = replace(IMPOSSIBLE, bounds=CompressionBounds(max_bytes=1e6))
    whole = compress(origin, request, "whole", Silent(), root=tmp_path)
    assert [one.key for one in whole.record.candidates] == ["original"]
    # Nothing of the earlier result is left, and the record is of what it is.
    assert not (folder / "channels.json").exists()
    assert whole.run.record.history == trained.record.history
    assert whole.run.record.best_epoch == trained.record.best_epoch
    assert whole.run.record.plan == trained.record.plan
    assert whole.run.record.pruning.distillation is None
    assert whole.run.record.pruning.earlier_teachers == (teacher,)
    assert whole.run.network().count_params() == trained.model.count_params()


def test_the_bounds_of_the_request_alone_decide_on_publication(
    trained, done, tmp_path, monkeypatch
):
    copied(done, "strict")
    strict = replace(VARIANTS["int8"], bounds=Bounds(agreement=1.1, relative_error=None, oa_drop=0))
    monkeypatch.setattr("hsitf.compress.preparation.variant", lambda _: strict)
    request = replace(IMPOSSIBLE, bounds=CompressionBounds(max_bytes=1e6))
    found = compress(trained.run, request, "strict", Silent(), root=tmp_path)
    assert found.bundle.record.sha256 == found.record.candidates[0].file_sha256


def test_a_control_that_cannot_be_made_is_left_out(trained, done, tmp_path, monkeypatch):
    def refused(*_):
        raise InputError("so few parameters cannot be reached")

    folder = copied(done, "few")
    for one in (folder / "search").glob("uniform-*"):
        shutil.rmtree(one)
    monkeypatch.setattr("hsitf.compress.controls.search_ratio", refused)
    request = CompressionRequest(done.record.bounds, SearchOptions(epochs=1), 60, controls=True)
    found = compress(trained.run, request, "few", Silent(), root=tmp_path)
    kinds = {one.step.kind for one in found.record.candidates}
    assert "same widths, from nothing" in kinds
    assert "one uniform cut by l2" not in kinds


def test_a_file_that_microcontrollers_do_not_run_has_no_arena(trained, monkeypatch):
    monkeypatch.setattr("hsitf.compress.request.check_tflm", lambda: None)
    monkeypatch.setattr(
        "hsitf.export.tflm.run_tflm", lambda *_: TflmReport(0, 0, "it has no kernel for TANH")
    )
    request = replace(IMPOSSIBLE, bounds=CompressionBounds(max_arena=10_000))
    with pytest.raises(VerificationError, match="does not run in TensorFlow Lite Micro"):
        compress(trained.run, request, "arena", Silent())


def test_the_published_file_takes_what_the_network_takes(trained, tmp_path):
    scene = hsitf.load_scene("tiny.npy", labels="labels.npy")
    reduced = hsitf.train_network("hu", scene, epochs=1, bands="pca:5", run="reduced")
    found = reduced.compress(max_bytes=1e6, variant="float32", epochs=1, out=tmp_path)
    assert found.file.record.sha256 == found.record.candidates[0].file_sha256


def test_a_damaged_candidate_is_refused(trained, done):
    folder = copied(done, "damaged")
    (folder / "search" / "original" / "file.tflite").write_bytes(b"")
    with pytest.raises(hsitf.errors.DataError, match="is not the file that its record describes"):
        compress(trained.run, IMPOSSIBLE, "damaged", Silent())


def test_validation_pixels_that_cannot_tell(trained):
    pixels = trained.record.split.validation
    too_fine = CompressionRequest(CompressionBounds(max_drop=50 / pixels))
    with pytest.raises(InputError, match=f"with {pixels:,} validation pixels"):
        check_validation(pixels, too_fine)
    check_validation(pixels, CompressionRequest(CompressionBounds(max_drop=200 / pixels)))


def test_touching_pixels_of_a_class_are_one_field(trained):
    data = trained.run.data()
    pixels = data.split.test
    fields = fields_of(data, pixels)
    assert fields.min() == 0
    assert len(np.unique(fields)) == fields.max() + 1
    classes = data.targets(pixels)
    for number in range(fields.max() + 1):
        assert len(np.unique(classes[fields == number])) == 1
    right = np.isin(pixels + 1, pixels) & ((pixels + 1) % data.split.shape[1] > 0)
    for at in np.flatnonzero(right):
        beside = np.searchsorted(pixels, pixels[at] + 1)
        assert (fields[at] == fields[beside]) == (classes[at] == classes[beside])


def test_from_python(found):
    assert found.file.record.bytes <= 30_000
    assert repr(found) == format_compression(found.record)
