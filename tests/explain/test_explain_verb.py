"""Explanations as a user asks for them."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from hsitf.bands import parse
from hsitf.commands.explain import app
from hsitf.errors import HsitfError
from hsitf.explain.record import ExplanationRecord
from hsitf.records import read
from hsitf.runs import Run
from hsitf.train import devices

RUN = "models/tiny/cao/disjoint-custom-seed0"
PRUNED = f"{RUN}-l1-ratio0.5"
FILES = "export/tiny/cao"
EXPLAINED = f"{RUN}-explained"


@pytest.fixture(scope="module")
def run(shell):
    done = shell(
        "train", "--model", "cao", *shell.SCENE, "--patch", "7", "--epochs", "3", "--lr", "0.003"
    )
    assert done.returncode == 0, done.stderr
    return Run.open(shell.folder / RUN)


@pytest.fixture(scope="module")
def pruned(shell, run):
    done = shell(
        "prune",
        "--model",
        "cao",
        "--from",
        RUN,
        "--criterion",
        "l1",
        "--ratio",
        "0.5",
        "--epochs",
        "1",
    )
    assert done.returncode == 0, done.stderr
    return PRUNED


@pytest.fixture(scope="module")
def files(shell, run):
    done = shell(
        "export", "--model", "cao", "--from", RUN, "--float32", "--int8", "--max-drop", "50"
    )
    assert done.returncode == 0, done.stderr
    return f"{FILES}/float32", f"{FILES}/int8"


@pytest.fixture
def explain(shell, run, monkeypatch):
    """The verb as it is typed, in this process, which has loaded Keras already."""
    monkeypatch.chdir(shell.folder)

    def typed(*words: str) -> str:
        done = CliRunner().invoke(app, words)
        if done.exception is not None:
            raise done.exception
        return done.stdout

    return typed


def test_every_class_is_explained(shell, run):
    done = shell(
        "explain", "--model", "cao", *shell.SCENE, "--from", RUN, "--max-samples", "5", "--top", "4"
    )
    assert done.returncode == 0, done.stderr
    record = read(ExplanationRecord, shell.folder / EXPLAINED / "saliency.json")
    assert [one.name for one in record.outputs] == list(run.record.scene.class_names)
    assert all(one.pixels == 5 for one in record.outputs)
    assert f"Most important bands: --bands {record.top_bands}" in done.stdout
    with np.load(shell.folder / EXPLAINED / "saliency.npz", allow_pickle=False) as arrays:
        assert arrays["magnitude0"].shape == (4, 7, 7, 24)
        assert arrays["reflectance"].shape == (4, 24)
        np.testing.assert_allclose(
            arrays["bands0"], arrays["magnitude0"].sum(axis=(1, 2)), rtol=1e-4
        )
    for name in ("saliency-maps", "saliency-bands"):
        assert (shell.folder / EXPLAINED / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert "<svg" in (shell.folder / EXPLAINED / f"{name}.svg").read_text()
    # What is printed can be typed.
    assert (parse(record.top_bands).spec, len(parse(record.top_bands).bands)) == (
        record.top_bands,
        4,
    )


def test_a_pixel_is_explained_as_the_network_calls_it(shell, explain, run):
    explain("--from", RUN, "--pixel", "3,4", "--method", "integrated-gradients", "--show", "0,5")
    path = shell.folder / EXPLAINED / "integrated-gradients-row3-col4"
    record = read(ExplanationRecord, path.with_suffix(".json"))
    patch = run.data(
        run.record.plan.scene.__class__(
            str(shell.folder / "tiny.npy"), labels=str(shell.folder / "labels.npy")
        )
    ).patches.extract(np.array([3 * 40 + 4]))
    logits = run.network().predict(np.concatenate([patch, 0 * patch]), verbose=0)
    (subject,) = record.outputs
    assert subject.output == logits[0].argmax()
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
        total = arrays["signed0"].sum()
    assert total == pytest.approx(np.subtract(*logits[:, subject.output]), rel=0.01)
    assert record.sources[0].metrics["completeness"] <= 0.01


def test_a_pruned_network_is_guided_too(shell, explain, run, pruned):
    told = explain(
        "--from",
        RUN,
        "--from",
        pruned,
        "--method",
        "guided-backpropagation",
        "--class",
        run.record.scene.class_names[0],
        "--max-samples",
        "6",
        "--out",
        "looks",
        "--name",
        "guided",
    )
    record = read(ExplanationRecord, shell.folder / "looks/guided.json")
    first, second = record.sources
    assert first.similarity[0].rank_correlation == pytest.approx(1)
    assert first.similarity[0].ssim == pytest.approx(1)
    assert -1 <= second.similarity[0].rank_correlation < 1
    assert -1 <= second.similarity[0].ssim < 1
    assert second.label == "ratio 0.5"
    assert f"{second.similarity[0].rank_correlation:.3f}" in told


def test_a_float_file_looks_where_its_network_looks(shell, explain, run, files):
    explain("--from", RUN, "--from", files[0], "--from", files[1], "--max-samples", "2")
    with np.load(shell.folder / EXPLAINED / "saliency-of3.npz", allow_pickle=False) as arrays:
        network, float32 = (arrays[f"signed{number}"].ravel() for number in range(2))
        assert arrays["signed2"].any()
    assert np.corrcoef(network, float32)[0, 1] >= 0.99


def test_a_file_is_explained_by_hiding_bands(shell, explain, run, files):
    told = explain("--from", files[1], "--method", "occlusion", "--max-samples", "3")
    assert "int8" in told
    assert "--bands select:" in told


def test_components_are_followed_back_to_bands(shell, explain, run):
    done = shell(
        "train", "--model", "cao", *shell.SCENE, "--patch", "7", "--epochs", "1", "--bands", "pca:6"
    )
    assert done.returncode == 0, done.stderr
    origin = "models/tiny/cao/disjoint-custom-pca-6-seed0"
    explain("--from", origin, "--max-samples", "3")
    opened = Run.open(shell.folder / origin)
    with np.load(shell.folder / f"{origin}-explained/saliency.npz", allow_pickle=False) as arrays:
        assert arrays["magnitude0"].shape == (4, 7, 7, 6)
        assert arrays["bands0"].shape == (4, 24)
        signed = arrays["signed0"].sum(axis=(1, 2)) @ opened.reducer().affine.matrix.T
    # The importance of a band, without sign, is at least its sum with sign.
    with np.load(shell.folder / f"{origin}-explained/saliency.npz", allow_pickle=False) as arrays:
        assert (arrays["bands0"] >= np.abs(signed) - 1e-4).all()


def test_filters_and_weights_are_explained(shell, explain, run):
    explain(
        "--from",
        RUN,
        "--method",
        "activation",
        "--layer",
        "conv1",
        "--filter",
        "0,7",
        "--iterations",
        "5",
    )
    record = json.loads(
        (shell.folder / EXPLAINED / "activation-conv1-filter0-filter7.json").read_text()
    )
    assert [one["name"] for one in record["outputs"]] == ["conv1, filter 0", "conv1, filter 7"]
    assert record["top_bands"] == ""
    explain("--from", RUN, "--method", "weight", "--weight", "dense1/bias", "--max-samples", "2")
    with np.load(shell.folder / EXPLAINED / "weight-dense1-bias.npz", allow_pickle=False) as arrays:
        assert arrays["weight_gradient0"].shape == (4, 200)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backend_gives_the_same(shell, run, backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed: {devices.BACKENDS[backend]}")
    ways = [("saliency",), ("guided-backpropagation",), ("weight", "--weight", "dense1/kernel")]
    for method, *words in ways:
        found = []
        for name in ("tensorflow", backend):
            done = shell(
                "explain",
                "--from",
                RUN,
                "--max-samples",
                "2",
                "--backend",
                name,
                "--name",
                f"{method}-{name}",
                "--method",
                method,
                *words,
            )
            assert done.returncode == 0, done.stderr
            with np.load(shell.folder / EXPLAINED / f"{method}-{name}.npz") as arrays:
                found.append(arrays["signed0"])
        np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-5 * np.abs(found[0]).max())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", RUN, "--pixel", "40,0"), "allowed: rows 0 to 39, columns 0 to 39"),
        (("--from", RUN, "--pixel", "4"), "ROW,COL such as 12,40"),
        (("--from", RUN, "--class", "class 9"), "unknown class"),
        (("--from", RUN, "--method", "salience"), "did you mean saliency"),
        (("--from", RUN, "--show", "24"), "allowed: 0 to 23"),
        (("--from", RUN, "--top", "0"), "--top is out of range"),
        (("--from", RUN, "--method", "activation", "--layer", "conv"), "did you mean conv"),
        (
            ("--from", RUN, "--method", "activation", "--layer", "conv1", "--filter", "300"),
            "allowed: 0 to 299",
        ),
        (("--from", RUN, "--method", "weight", "--weight", "dense1/biases"), "did you mean bias"),
        (("--from", RUN, "--method", "weight"), "--weight LAYER/WEIGHT"),
        (("--from", RUN, "--model", "he"), "is of another network"),
        (("--from", RUN, "--scene", "fields"), "is not the scene"),
        (("--from", f"{FILES}/int8", "--method", "smoothgrad"), "allowed: occlusion, saliency"),
        ((), "neither --model nor --from"),
    ],
)
def test_what_cannot_be_explained_is_said(shell, explain, files, words, message):
    with pytest.raises(HsitfError) as raised:
        explain(*words, "--name", "never")
    assert message in str(raised.value)
    assert not list((shell.folder / EXPLAINED).glob("never*"))


def test_a_refusal_ends_in_a_message_and_a_status(shell, run):
    done = shell("explain", "--from", RUN, "--pixel", "40,0")
    assert done.returncode == 2
    assert "hsitf: the pixel is outside" in done.stderr
    assert "Traceback" not in done.stderr
