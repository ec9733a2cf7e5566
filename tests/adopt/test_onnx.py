"""Networks as ONNX files: whole networks, their thinning, and what is refused."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from networks import randomized
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import (
    CONTEXT,
    Graph,
    adopted,
    assert_equal,
    kinds,
    node,
    positive,
    weight,
)

from hsitf import onnx_files, zoo
from hsitf.adopt.onnx import file as onnx_file
from hsitf.adopt.onnx import nodes as onnx_nodes
from hsitf.adopt.onnx import read
from hsitf.adopt.source import SourceNetwork
from hsitf.errors import DataError, InputError
from hsitf.export.calibration import Calibration
from hsitf.export.onnx import convert
from hsitf.lower.rewrite import lower
from hsitf.prune import PruningConfig, masked, rank, select, thin

# --- networks -------------------------------------------------------------------------------


def volume() -> Graph:
    """A 3-D network as PyTorch exports it: (samples, 1, bands, rows, cols)."""
    return Graph(
        [
            node("Conv", "x c1.weight c1.bias", "a", strides=[2, 1, 1]),
            node("BatchNormalization", "a bn.weight bn.bias mean variance", "b"),
            node("Relu", "b", "c"),
            node("Conv", "c c2.weight c2.bias", "d", pads=[1, 0, 0, 1, 0, 0]),
            node("Relu", "d", "e"),
            node("Reshape", "e shape", "f"),
            node("Conv", "f c3.weight c3.bias", "g"),
            node("Relu", "g", "h"),
            node("Flatten", "h", "i"),
            node("Gemm", "i fc1.weight fc1.bias", "j", transB=1),
            node("Relu", "j", "k"),
            node("Gemm", "k fc2.weight fc2.bias", "l", transB=1),
            node("Softmax", "l", axis=1),
        ],
        ("batch", 1, 20, 9, 9),
        {
            "c1.weight": weight(6, 1, 5, 3, 3),
            "c1.bias": weight(6),
            "bn.weight": positive(6),
            "bn.bias": weight(6),
            "mean": weight(6),
            "variance": positive(6),
            "c2.weight": weight(8, 6, 3, 3, 3),
            "c2.bias": weight(8),
            "shape": np.array([0, 64, 5, 5]),
            "c3.weight": 0.1 * weight(10, 64, 3, 3),
            "c3.bias": weight(10),
            "fc1.weight": 0.2 * weight(16, 90),
            "fc1.bias": weight(16),
            "fc2.weight": weight(5, 16),
            "fc2.bias": weight(5),
        },
    )


def two_branches() -> Graph:
    """The spectrum of the center pixel beside the patch, in PyTorch's order of axes."""
    return Graph(
        [
            node("Gather", "x center", "row", axis=2),
            node("Gather", "row center", "pixel", axis=2),
            node("Unsqueeze", "pixel one", "line"),
            node("Conv", "line s1.weight s1.bias", "a", strides=[2]),
            node("LeakyRelu", "a", "b", alpha=0.1),
            node("ReduceMax", "b", "spectral", axes=[2], keepdims=0),
            node("Conv", "x p1.weight p1.bias", "c", pads=[1, 1, 1, 1]),
            node("Relu", "c", "d"),
            node("MaxPool", "d", "e", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
            node("Conv", "e p2.weight p2.bias", "f", group=12),
            node("GlobalAveragePool", "f", "g"),
            node("Conv", "g q.weight", "gate0"),
            node("Sigmoid", "gate0", "gate"),
            node("Mul", "f gate", "h"),
            node("ReduceMean", "h", "spatial", axes=[2, 3], keepdims=0),
            node("Concat", "spectral spatial", "both", axis=1),
            node("MatMul", "both fc", "i"),
            node("Add", "i fc_bias"),
        ],
        ("batch", 20, 9, 9),
        {
            "center": np.array(4),
            "one": np.array([1]),
            "s1.weight": weight(8, 1, 5),
            "s1.bias": weight(8),
            "p1.weight": 0.3 * weight(12, 20, 3, 3),
            "p1.bias": weight(12),
            "p2.weight": weight(12, 1, 3, 3),
            "p2.bias": weight(12),
            "q.weight": weight(12, 12, 1, 1),
            "fc": weight(20, 5),
            "fc_bias": weight(5),
        },
    )


@pytest.mark.parametrize("name", ["cao", "hamida", "he", "hu", "li", "mou", "sharma"])
def test_networks_of_the_zoo_return_from_their_own_export(tmp_path, name):
    network = randomized(zoo.build(name, bands=12 if name == "mou" else 20, classes=5))
    convert(lower(network), Calibration(np.zeros((1, 1, 1, 20), np.float32)), tmp_path / "a.onnx")
    source = read(tmp_path / "a.onnx", CONTEXT)
    x = weight(3, *network.inputs[0].shape[1:])
    expected = np.asarray(network(x))
    np.testing.assert_allclose(source.model(x), expected, atol=1e-5 * np.abs(expected).max())
    assert source.framework == "ONNX (tf2onnx)"


def test_names_are_those_of_the_authors_layers(tmp_path):
    source = assert_equal(volume().model(), tmp_path)
    names = [layer.name for layer in source.model.layers if layer.weights]
    assert names == ["c1", "bn", "c2", "c3", "fc1", "fc2"]
    assert kinds(source)[-1] == "Activation"


@pytest.mark.parametrize("graph", [volume, two_branches])
def test_adopted_networks_are_thinned_and_lowered(tmp_path, graph):
    network = assert_equal(graph().model(), tmp_path).model
    x = weight(4, *network.inputs[0].shape[1:])
    for ratio in (0.3, 0.7):
        plan = select(rank(network, "l1"), PruningConfig(ratio))
        smaller = thin(network, plan)
        assert smaller.count_params() < 0.8 * network.count_params()
        np.testing.assert_allclose(smaller(x), masked(network, plan)(x), atol=1e-5)
    patches = keras.Input((9, 9, 20))
    first = keras.layers.Permute((3, 1, 2))(patches)
    if len(network.inputs[0].shape) == 5:
        first = keras.layers.Reshape((1, 20, 9, 9))(first)
    whole = keras.Model(patches, network(first))
    cube = weight(1, 9, 9, 20)
    np.testing.assert_allclose(lower(whole)(cube), whole(cube), atol=1e-5)


def test_adopted_networks_are_saved_in_safe_mode(tmp_path):
    network = adopted(two_branches().model(), tmp_path).model
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    x = weight(2, 20, 9, 9)
    np.testing.assert_array_equal(again(x), network(x))


def test_two_inputs(tmp_path):
    nodes = [
        node("Conv", "spectrum w1", "a"),
        node("Flatten", "a", "b"),
        node("Conv", "patch w2", "c"),
        node("Flatten", "c", "d"),
        node("Concat", "b d", "e", axis=-1),
        node("Gemm", "e w3"),
    ]
    weights = {"w1": weight(2, 1, 3), "w2": weight(3, 6, 3, 3), "w3": weight(8 + 27, 5)}
    shapes = {"spectrum": ("n", 1, 6), "patch": ("n", 6, 5, 5)}
    graph = helper.make_graph(
        nodes,
        "two inputs",
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, s) for k, s in shapes.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 5))],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    source = adopted(model, tmp_path)
    assert [tensor.name for tensor in source.model.inputs] == ["spectrum", "patch"]
    x = [weight(3, 1, 6), weight(3, 6, 5, 5)]
    assert source.reference is not None
    np.testing.assert_allclose(source.model(x), source.reference(x), atol=1e-5)


def test_the_output_with_the_scenes_classes_is_adopted(tmp_path):
    source = adopted(two_outputs(5, 6), tmp_path)
    assert source.model.output_shape == (None, 5)
    assert "outputs other were left out" in source.remarks


def two_outputs(first: int, second: int) -> onnx.ModelProto:
    """A classifier with a reconstruction beside it."""
    model = Graph(
        [node("Gemm", "x w", "y"), node("Gemm", "y v", "other")],
        ("n", 6),
        {"w": weight(6, first), "v": weight(first, second)},
    ).model()
    other = helper.make_tensor_value_info("other", TensorProto.FLOAT, ("n", second))
    model.graph.output.append(other)
    return model


TORCH_SCRIPT = """
    import warnings; warnings.filterwarnings("ignore")
    import numpy as np, torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv3d(1, 8, (7, 3, 3))
            self.norm = nn.BatchNorm3d(8)
            self.mix = nn.Conv2d(8 * 14, 16, 3)
            self.head = nn.Linear(16, 5)

        def forward(self, x):
            x = torch.relu(self.norm(self.conv(x)))
            x = x.reshape(x.shape[0], -1, x.shape[3], x.shape[4])
            x = nn.functional.max_pool2d(torch.relu(self.mix(x)), 2)
            return self.head(x.mean((2, 3)))

    torch.manual_seed(0)
    net = Net().eval()
    net.norm.running_mean.normal_()
    x = torch.randn(4, 1, 20, 9, 9)
    np.savez("expected.npz", x=x.numpy(), y=net(x).detach().numpy())
    options = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}, "dynamo": False}
    torch.onnx.export(net, x, "open.onnx", **options)
    torch.onnx.export(net, x[:1], "fixed.onnx", dynamo=False, opset_version=13)
"""


@pytest.mark.slow
def test_files_of_torch(tmp_path):
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("onnxscript") is None:
        pytest.skip("torch or onnxscript is not installed")
    # In a process of its own: PyTorch and TensorFlow bring two copies of LLVM.
    script = tmp_path / "export.py"
    script.write_text(textwrap.dedent(TORCH_SCRIPT))
    subprocess.run([sys.executable, script.name], cwd=tmp_path, check=True, capture_output=True)
    with np.load(tmp_path / "expected.npz") as expected:
        for name in ("open.onnx", "fixed.onnx"):
            source = read(tmp_path / name, CONTEXT)
            assert source.framework == "ONNX (pytorch)"
            np.testing.assert_allclose(source.model(expected["x"]), expected["y"], atol=1e-5)


# --- what is refused ------------------------------------------------------------------------


def refused(
    model: onnx.ModelProto | bytes, folder: Path, error: type[Exception] = InputError
) -> str:
    """The message with which a file is refused."""
    path = folder / "network.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with pytest.raises(error) as found:
        read(path, CONTEXT)
    return str(found.value)


def dense(**changes: object) -> Graph:
    given = {"nodes": [node("Gemm", "x w")], "shape": ("n", 6), "weights": {"w": weight(6, 5)}}
    return Graph(**{**given, **changes})


@pytest.mark.parametrize(
    "content", [b"", b"no ONNX", b"\x08\x08" + bytes(100), weight(10).tobytes()]
)
def test_what_is_no_onnx_file(tmp_path, content):
    message = refused(content, tmp_path, DataError)
    assert "damaged" in message or "size" in message


def test_a_file_cut_short(tmp_path):
    content = dense().model().SerializeToString()
    assert "damaged" in refused(content[: len(content) // 2], tmp_path, DataError)


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_files, "MAX_BYTES", 100)
    assert "allowed: 1 to 100 bytes" in refused(dense().model(), tmp_path, DataError)


def test_a_graph_with_too_many_nodes(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "MAX_NODES", 0)
    assert "too many nodes" in refused(dense().model(), tmp_path, DataError)


def test_a_graph_that_breaks_the_rules(tmp_path):
    model = dense().model()
    model.graph.node[0].input[1] = "nothing"
    assert "does not follow the rules of ONNX" in refused(model, tmp_path, DataError)


@pytest.mark.parametrize("opset", [6, 99])
def test_opsets_that_are_too_old_or_new(tmp_path, opset):
    model = dense().model()
    model.opset_import[0].version = opset
    assert f"opset {opset}" in refused(model, tmp_path)


def test_weights_in_another_file(tmp_path):
    model = dense().model()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    assert "keeps weights in another file; received: w" in refused(model, tmp_path)


def test_quantized_files(tmp_path):
    weights = {"s": positive(), "z": np.array(0, np.int8), "w": weight(6, 5)}
    nodes = [
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("Gemm", "d w"),
    ]
    message = refused(dense(nodes=nodes, weights=weights).model(), tmp_path)
    assert "is quantized" in message
    assert "as it was before" in message


def test_control_flow(tmp_path):
    model = dense().model()
    inner = helper.make_graph(
        [node("Identity", "x", "z")],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ("n", 6))],
    )
    branch = helper.make_node("If", ["c"], ["x2"], then_branch=inner, else_branch=inner)
    model.graph.node.insert(0, branch)
    assert "squeeze(1) does not" in refused(model, tmp_path)


def test_operators_of_other_domains(tmp_path):
    model = dense().model()
    model.graph.node[0].domain = "com.microsoft"
    assert "Gemm of the domain com.microsoft" in refused(model, tmp_path)


def test_functions_of_a_file(tmp_path):
    model = dense().model()
    function = helper.make_function("own", "f", ["a"], ["b"], [node("Relu", "a", "b")], [])
    model.functions.append(function)
    assert "inline_local_functions" in refused(model, tmp_path)


def test_sparse_and_half_and_text_weights(tmp_path):
    model = dense().model()
    values = numpy_helper.from_array(weight(2), "sparse")
    places = numpy_helper.from_array(np.array([0, 3]), "places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [6]))
    assert "sparse weights" in refused(model, tmp_path)
    half = dense(weights={"w": np.zeros((6, 5), np.float16)}).model()
    assert "16 bits" in refused(half, tmp_path)
    model = dense().model()
    model.graph.initializer.append(helper.make_tensor("t", TensorProto.STRING, [1], [b"a"]))
    assert "texts" in refused(model, tmp_path)


def test_open_sizes_of_a_patch(tmp_path):
    graph = Graph([node("GlobalAveragePool", "x")], ("n", 6, "rows", "cols"))
    message = refused(graph.model(), tmp_path)
    assert "--input_shape 1,6,?,?" in message


def test_inputs_without_samples_or_of_integers(tmp_path):
    line = Graph([node("Relu", "x")], (6,))
    assert "without an axis of samples" in refused(line.model(), tmp_path)
    model = dense().model()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT16
    assert "x: UINT16" in refused(model, tmp_path)


def test_several_outputs_of_which_none_or_two_fit(tmp_path):
    for first, second in ((5, 5), (7, 8)):
        message = refused(two_outputs(first, second), tmp_path)
        assert "several outputs" in message
        assert "extract_model" in message


def test_operators_that_are_not_adopted(tmp_path):
    graph = Graph([node("Conv", "x w", "a"), node("Erf", "a")], ("n", 6, 3), {"w": weight(5, 6, 1)})
    message = refused(graph.model(), tmp_path)
    assert "node 'Erf_y' (Erf)" in message
    assert "opset_version=20" in message


def test_products_of_two_tensors(tmp_path):
    graph = Graph([node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t")], ("n", 6, 3))
    assert "attention" in refused(graph.model(), tmp_path)


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([node("Reshape", "x s")], {"s": np.array([-1, 3])}),
        ([node("ReduceMean", "x", axes=[0])], {}),
        ([node("Concat", "x x", axis=0)], {}),
        ([node("Transpose", "x", perm=[1, 0])], {}),
    ],
)
def test_samples_that_are_mixed(tmp_path, nodes, weights):
    message = refused(Graph(nodes, ("n", 6), weights).model(), tmp_path)
    assert "samples" in message


def test_constants_that_would_fill_the_memory(tmp_path):
    huge = Graph(
        [node("ConstantOfShape", "s", "c"), node("Add", "x c")],
        ("n", 6),
        {"s": np.array([2**20, 2**20, 6])},
        output=("a", "b", 6),
    )
    assert "too large" in refused(huge.model(), tmp_path)
    wide = Graph([node("Relu", "x")], ("n", 2**14, 2**14))
    assert "too large" in refused(wide.model(), tmp_path)


def test_a_wrong_conversion_never_goes_on(tmp_path, monkeypatch):
    rows = {**onnx_nodes.NODES, "Relu": onnx_nodes.NODES["LeakyRelu"]}
    monkeypatch.setattr("hsitf.adopt.onnx.network.NODES", rows)
    graph = Graph([node("Relu", "x")], ("n", 6))
    assert "computes something else" in refused(graph.model(), tmp_path, DataError)


def test_what_onnx_runtime_does_not_run(tmp_path, monkeypatch):
    def broken(*given: object, **options: object) -> None:
        raise RuntimeError("no kernel")

    monkeypatch.setattr(onnxruntime, "InferenceSession", broken)
    assert "no kernel" in refused(dense().model(), tmp_path, DataError)


def test_attributes_that_keras_does_not_know(tmp_path):
    model = dense().model()
    model.graph.node[0].attribute.append(helper.make_attribute("transA", 1))
    assert "one vector a sample" in refused(model, tmp_path)


def test_a_rule_of_ones_own(tmp_path, monkeypatch):
    def sign(node: object) -> object:
        value = node.any_tensor()
        return value.changed(node.operation(keras.ops.sign, value.tensor))

    rows = onnx_nodes.NODES
    monkeypatch.setattr(rows, "_values", {**rows._values})
    rows.register("Sign", sign)
    source: SourceNetwork = assert_equal(Graph([node("Sign", "x")], ("n", 6)).model(), tmp_path)
    assert kinds(source) == ["Sign"]
