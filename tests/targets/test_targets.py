"""Targets: the registry, Arm's compiler, and lowering chosen by cost."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from hsitf.arithmetic import INTEGER, Arithmetic, ConvolutionMethod
from hsitf.errors import InputError
from hsitf.export.calibration import Calibration
from hsitf.export.convert import lowered_form
from hsitf.export.tile_selection import TileCost, choose_tile, measure_tiles
from hsitf.export.tuning import TuningSubject, missing_memory, tune
from hsitf.export.variants import VARIANTS
from hsitf.lower import lower
from hsitf.progress import Silent
from hsitf.targets import DeviceMemory, Target, TargetCost, all_targets, find_target, names
from hsitf.targets._ethos_u import _cpu_operators

INT8 = VARIANTS["int8"]


def network(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((5, 5, 12))
    x = layers.Reshape((5, 5, 12, 1))(inputs)
    x = layers.Conv3D(4, (3, 3, 5), activation="relu", name="conv1")(x)
    x = layers.Conv3D(6, (2, 2, 3), activation="relu", name="conv2")(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(layers.Flatten()(x)))


SAMPLES = np.random.default_rng(0).normal(size=(4, 5, 5, 12)).astype(np.float32)


@pytest.fixture(autouse=True)
def few_alignments(monkeypatch):
    """Two alignments in place of seven: the search is the same."""
    monkeypatch.setattr("hsitf.export.tuning.ALIGNMENTS", (1, 32))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("targets") / "plain.tflite"
    INT8.convert(lower(network(), arithmetic=INTEGER), Calibration(SAMPLES), path)
    return path


@pytest.mark.parametrize("unfolding", ["auto", "block-toeplitz", "im2col", "spectral-im2col"])
@pytest.mark.parametrize("alignment", [1, 8, 64])
def test_every_method_is_exact(unfolding, alignment):
    model = network()
    methods = tuple((name, ConvolutionMethod(alignment, unfolding)) for name in ("conv1", "conv2"))
    lowered = lower(model, batch=4, arithmetic=replace(INTEGER, methods=methods))
    np.testing.assert_allclose(lowered(SAMPLES), model(SAMPLES), atol=1e-5)


def test_a_method_concerns_its_own_layer_alone():
    wide = replace(INTEGER, channel_alignment=1, methods=(("conv2", ConvolutionMethod(24)),))
    lowered = lower(network(), arithmetic=wide)
    widths = {
        layer.name: layer.filters for layer in lowered.layers if hasattr(layer, "kernel_size")
    }
    narrow = lower(network(), arithmetic=replace(INTEGER, channel_alignment=1))
    before = {layer.name: layer.filters for layer in narrow.layers if hasattr(layer, "kernel_size")}
    assert widths["conv1"] == before["conv1"]
    assert widths["conv2"] > before["conv2"]


@pytest.mark.parametrize(
    "wrong", [{"channel_alignment": 0}, {"channel_alignment": 4, "unfolding": "magic"}]
)
def test_a_method_out_of_range_is_refused(wrong):
    with pytest.raises(InputError):
        ConvolutionMethod(**wrong)


@dataclass(frozen=True)
class Operators:
    """A cost model for tests: the number of filters of the first convolution."""

    prefers: int
    unit: str = "filters off the wish"
    basis: str = "counted"
    noise: float = 0.0
    version: str = "1"

    def costs(self, files, progress):
        from hsitf.inspection import nodes

        found = []
        for file in files:
            first = next(node for node in nodes(file) if node.op == "CONV_2D")
            found.append(TargetCost(abs(first.outputs[0].shape[-1] - self.prefers) + 1.0))
        return found


def subject(model: keras.Model, cost: object, memory: DeviceMemory | None = None) -> TuningSubject:
    target = Target("test", "a test", ("int8",), cost=cost, memory=memory)
    return TuningSubject(
        lambda arithmetic: lowered_form(model, 1, arithmetic), INT8, SAMPLES, "test", target
    )


def test_tuning_finds_what_the_target_prefers(tmp_path):
    cache = tmp_path / "tuning.json"
    found = tune(subject(network(), Operators(prefers=1)), INTEGER, cache, Silent())
    assert found.cost < found.default_cost
    model = network()
    lowered = lower(model, batch=4, arithmetic=found.arithmetic)
    np.testing.assert_allclose(lowered(SAMPLES), model(SAMPLES), atol=1e-5)


def test_a_choice_is_read_back_and_its_costs_are_measured_again(tmp_path):
    cache = tmp_path / "tuning.json"
    first = tune(subject(network(), Operators(prefers=1)), INTEGER, cache, Silent())
    # What the file says of costs is not believed: they depend on weights.
    kept = json.loads(cache.read_text())
    cache.write_text(json.dumps({**kept, "default_cost": 9_999_999.0, "cost": 1.0}))
    again = tune(subject(network(seed=1), Operators(prefers=1)), INTEGER, cache, Silent())
    assert (again.cost, again.default_cost) == (first.cost, first.default_cost)
    assert again.arithmetic == first.arithmetic
    assert again.tried == 2
    other = Operators(prefers=1, version="2")
    assert tune(subject(network(), other), INTEGER, cache, Silent()).tried > 2
    # A damaged choice is made anew.
    cache.write_text(json.dumps({"schema": 2, "key": "x"}))
    assert tune(subject(network(), Operators(prefers=1)), INTEGER, cache, Silent()) == first


@pytest.mark.slow
def test_a_choice_that_is_no_better_now_gives_way_to_the_default(tmp_path):
    cache = tmp_path / "tuning.json"
    tune(subject(network(), Operators(prefers=1)), INTEGER, cache, Silent())
    kept = json.loads(cache.read_text())
    worse = {"conv1": {"channel_alignment": 64, "unfolding": "block-toeplitz"}}
    cache.write_text(json.dumps({**kept, "channel_alignment": 64, "methods": worse}))
    found = tune(subject(network(), Operators(prefers=1)), INTEGER, cache, Silent())
    assert found.arithmetic == INTEGER
    assert found.cost == found.default_cost


@pytest.mark.slow
def test_a_choice_of_layers_that_are_not_there_is_made_anew(tmp_path):
    cache = tmp_path / "tuning.json"
    first = tune(subject(network(), Operators(prefers=1)), INTEGER, cache, Silent())
    kept = json.loads(cache.read_text())
    stranger = {"nolayer": {"channel_alignment": 64, "unfolding": "im2col"}}
    cache.write_text(json.dumps({**kept, "methods": kept["methods"] | stranger}))
    again = tune(subject(network(), Operators(prefers=1)), INTEGER, cache, Silent())
    assert again == first


def test_a_folder_in_place_of_the_choice_is_refused_before_the_search(tmp_path):
    with pytest.raises(InputError, match="cannot be kept"):
        tune(subject(network(), Operators(prefers=1)), INTEGER, tmp_path, Silent())


def test_tiles_are_chosen_by_operators_on_the_cpu_then_by_their_pixels():
    def tile(side, value, cpu=(), reason=""):
        return TileCost(side, TargetCost(value, cpu_operators=cpu), reason)

    assert choose_tile([tile(4, 160.0), tile(8, 320.0), tile(16, 2560.0)], "host") == 8
    assert choose_tile([tile(4, 160.0), tile(8, 64.0, ("SIN: none",))], "host") == 4
    assert choose_tile([tile(4, 160.0), tile(8, 64.0, (), "too large")], "host") == 4
    with pytest.raises(InputError, match="no tile"):
        choose_tile([tile(4, 160.0, (), "too large")], "host")


def test_memory_is_not_shared_by_pixels():
    with pytest.raises(InputError, match="not known"):
        measure_tiles(network(), 5, INT8, "tflm", Silent())


def test_the_default_stays_where_nothing_is_cheaper(tmp_path):
    @dataclass(frozen=True)
    class Flat(Operators):
        def costs(self, files, progress):
            return [TargetCost(7.0) for _ in files]

    found = tune(subject(network(), Flat(prefers=0)), INTEGER, tmp_path / "t.json", Silent())
    assert found.arithmetic == INTEGER
    assert found.cost == found.default_cost == 7.0


def test_missing_memory_is_counted_by_hand():
    target = Target("test", "a test", ("int8",), memory=DeviceMemory(1000, "a board"))
    assert missing_memory(TargetCost(1.0, sram_bytes=1200), target) == 200
    assert missing_memory(TargetCost(1.0, sram_bytes=800), target) == 0
    assert missing_memory(TargetCost(1.0), target) == 0


def test_names_follow_files_and_a_wrong_one_gets_the_nearest():
    assert {"host", "tflm", "ethos-u55-256", "cortex-a53", "browser", "edgetpu"} <= set(names())
    with pytest.raises(InputError, match="did you mean cortex-a53"):
        find_target("cortex-a54")


def test_every_target_takes_kinds_of_file_that_exist():
    for name, target in all_targets():
        assert target.variants, name
        assert set(target.variants) <= set(VARIANTS), name
        assert target.description.endswith("."), name


def test_a_target_is_added_by_one_file(tmp_path, monkeypatch):
    from hsitf import targets

    (tmp_path / "ethos_u55_32.py").write_text(
        "from hsitf.targets._ethos_u import ethos_u\n"
        "from hsitf.targets._target import DeviceMemory\n"
        "TARGET = ethos_u('ethos-u55-32', 'Ethos_U55_High_End_Embedded', 'Shared_Sram',\n"
        "    DeviceMemory(2**20, '1 MiB of SRAM'), 'Ethos-U55, 32 MACs')\n"
    )
    monkeypatch.setattr(targets, "__path__", [*targets.__path__, str(tmp_path)])
    assert "ethos-u55-32" in names()
    assert find_target("ethos-u55-32").memory.sram_bytes == 2**20


def test_arms_compiler_gives_cycles_memory_and_operators(plain):
    pytest.importorskip("ethosu")
    model = find_target("ethos-u55-256").cost
    (cost,) = model.costs([plain], Silent())
    assert cost.value > 100
    assert 0 < cost.sram_bytes < 2**20
    assert cost.cpu_operators == ()
    assert cost.operators > 2
    assert cost.tool.startswith("ethos-u-vela ")


def test_arms_compiler_refuses_what_is_no_network_in_one_message(tmp_path):
    pytest.importorskip("ethosu")
    wrong = tmp_path / "wrong.tflite"
    wrong.write_bytes(b"no flatbuffer at all, but long enough to be looked at")
    (found,) = find_target("ethos-u55-256").cost.costs([wrong], Silent())
    assert isinstance(found, InputError)
    assert "cannot compile wrong.tflite" in str(found)


def test_operators_on_the_cpu_have_their_reasons():
    printed = (
        "Warning (supported operators) operator: SIN, ofm: 'a:0'\nReason: Unsupported opType\n\n"
        "CPU operators = 1 (25.0%)\n   CPU: Passthrough = a:0 (outputs [1, 2])\n"
        "NPU operators = 3 (75.0%)\n   NPU: Conv2D = b (outputs [1, 2])\n"
    )
    assert _cpu_operators(printed) == (("SIN: Unsupported opType",), 4)


def test_export_for_a_target_holds_the_compiled_file_and_its_cost(shell):
    pytest.importorskip("ethosu")
    done = shell("export", "--model", "hu", *shell.SCENE, "--target", "ethos-u55-256")
    assert done.returncode == 0, done.stderr
    assert "0 of" in done.stdout
    assert "estimated by Arm's compiler" in done.stdout
    folder = shell.folder / "export/tiny/hu/int8-ethos-u55-256"
    record = json.loads((folder / "record.json").read_text())["target"]
    assert record["cost"] <= record["default_cost"]
    assert (folder / "hu_vela.tflite").is_file()
    made = "export/tiny/hu/int8-ethos-u55-256/hu_vela.tflite"
    assert f"For the device: {made}.\n" in done.stdout
    assert (folder / "vela-summary.csv").is_file()
    assert record["files"] == ["hu_vela.tflite", "vela-summary.csv"]
    again = shell("export", "--model", "hu", *shell.SCENE, "--target", "ethos-u55-256")
    assert "as chosen before" in again.stderr
    done = shell("bench", str(folder), "--target", "ethos-u55-256,tflm", "--engine", "litert")
    assert done.returncode == 0, done.stderr
    assert "cycles" in done.stdout
    assert "bytes of arena" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--target", "ethos-u55-64"), "did you mean ethos-u55-256"),
        (("--target", "ethos-u55-256", "--onnx"), "ethos-u55-256 takes no onnx files"),
        (("--target", "host", "--int8", "--channel-alignment", "8"), "by its cost"),
    ],
)
def test_impossible_targets_are_refused(shell, words, message):
    done = shell("export", "--model", "hu", *shell.SCENE, *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_targets_are_listed(shell):
    done = shell("targets")
    assert done.returncode == 0
    assert "ethos-u85-256" in done.stdout
    done = shell("targets", "ethos-u85-256")
    assert "estimated by Arm's compiler" in done.stdout


def test_a_missing_toolchain_is_refused_with_its_command(monkeypatch):
    from hsitf.targets import _ethos_u

    monkeypatch.setattr(_ethos_u, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '\.\[ethos-u\]'"):
        find_target("ethos-u55-256").toolchain[0].check("ethos-u55-256")


def test_an_arithmetic_without_methods_is_the_same_everywhere():
    assert Arithmetic(16).method("any") == ConvolutionMethod(16)
