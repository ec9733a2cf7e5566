"""Every ONNX operator that is adopted, against ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto
from onnx_graphs import Graph, adopted, assert_equal, kinds, node, number, positive, weight

from hsitf.adopt.onnx.nodes import NODES


def one(kind: str, inputs: str, shape: tuple[Any, ...], opset: int = 17, **given: Any) -> Graph:
    """A graph of one node; arrays are weights, the rest attributes."""
    weights = {name: value for name, value in given.items() if isinstance(value, np.ndarray)}
    attributes = {name: value for name, value in given.items() if name not in weights}
    return Graph([node(kind, inputs, **attributes)], shape, weights, opset)


LINE, IMAGE, VOLUME = ("n", 4, 9), ("n", 4, 7, 8), ("n", 2, 6, 5, 5)
INT = np.int64

CASES: dict[str, Graph] = {
    "conv1d": one("Conv", "x w b", LINE, w=weight(6, 4, 3), b=weight(6)),
    "conv1d-stride": one("Conv", "x w", LINE, w=weight(6, 4, 3), strides=[2]),
    "conv2d": one("Conv", "x w b", IMAGE, w=weight(6, 4, 3, 2), b=weight(6)),
    "conv2d-same": one("Conv", "x w", IMAGE, w=weight(6, 4, 3, 3), pads=[1, 1, 1, 1]),
    "conv2d-asymmetric": one("Conv", "x w", IMAGE, w=weight(6, 4, 3, 3), pads=[2, 0, 1, 1]),
    "conv2d-strided-padded": one(
        "Conv", "x w", IMAGE, w=weight(6, 4, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2]
    ),
    "conv2d-groups": one("Conv", "x w b", IMAGE, w=weight(6, 2, 3, 3), b=weight(6), group=2),
    "conv2d-depthwise": one("Conv", "x w b", IMAGE, w=weight(8, 1, 3, 3), b=weight(8), group=4),
    "conv2d-dilated": one("Conv", "x w", IMAGE, w=weight(6, 4, 3, 3), dilations=[2, 1]),
    "conv2d-dilated-strided": one(
        "Conv",
        "x w b",
        IMAGE,
        w=weight(6, 4, 3, 3),
        b=weight(6),
        dilations=[2, 2],
        strides=[2, 3],
        pads=[1, 2, 2, 1],
    ),
    "conv2d-same-upper": one(
        "Conv", "x w", IMAGE, w=weight(6, 4, 3, 2), auto_pad="SAME_UPPER", strides=[2, 2]
    ),
    "conv2d-same-lower": one("Conv", "x w", IMAGE, w=weight(6, 4, 4, 2), auto_pad="SAME_LOWER"),
    "conv3d": one("Conv", "x w b", VOLUME, w=weight(3, 2, 4, 3, 3), b=weight(3)),
    "conv3d-anisotropic": one(
        "Conv",
        "x w",
        VOLUME,
        w=weight(3, 2, 4, 3, 1),
        strides=[2, 1, 1],
        pads=[1, 0, 1, 0, 1, 0],
        dilations=[1, 2, 1],
    ),
    "conv3d-bands-last": one(
        "Conv", "x w", ("n", 2, 5, 5, 8), w=weight(3, 2, 3, 2, 4), strides=[1, 1, 2]
    ),
    "conv3d-groups": one("Conv", "x w", VOLUME, w=weight(4, 1, 3, 3, 3), group=2),
    "conv-transpose1d": one("ConvTranspose", "x w b", LINE, w=weight(4, 3, 3), b=weight(3)),
    "conv-transpose2d": one(
        "ConvTranspose",
        "x w b",
        IMAGE,
        w=weight(4, 3, 3, 3),
        b=weight(3),
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        output_padding=[1, 0],
    ),
    "conv-transpose3d": one("ConvTranspose", "x w", VOLUME, w=weight(2, 3, 4, 2, 3)),
    "max-pool1d": one("MaxPool", "x", LINE, kernel_shape=[2], strides=[2]),
    "max-pool2d": one("MaxPool", "x", IMAGE, kernel_shape=[3, 2], strides=[2, 1]),
    "max-pool2d-padded": one(
        "MaxPool", "x", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "max-pool2d-ceil": one("MaxPool", "x", IMAGE, kernel_shape=[3, 3], strides=[3, 3], ceil_mode=1),
    "max-pool3d": one("MaxPool", "x", VOLUME, kernel_shape=[2, 1, 2], strides=[2, 1, 2]),
    "average-pool1d": one("AveragePool", "x", LINE, kernel_shape=[4], strides=[2]),
    "average-pool2d-padded": one(
        "AveragePool", "x", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
    ),
    "average-pool2d-counted": one(
        "AveragePool",
        "x",
        IMAGE,
        kernel_shape=[3, 3],
        strides=[2, 2],
        pads=[1, 0, 1, 1],
        count_include_pad=1,
    ),
    "average-pool2d-ceil": one(
        "AveragePool", "x", IMAGE, opset=19, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1
    ),
    "average-pool2d-ceil-wide": one(
        "AveragePool", "x", IMAGE, opset=19, kernel_shape=[3, 4], strides=[3, 3], ceil_mode=1
    ),
    "average-pool3d": one("AveragePool", "x", VOLUME, kernel_shape=[3, 2, 2], strides=[1, 2, 2]),
    "global-average": one("GlobalAveragePool", "x", VOLUME),
    "global-max": one("GlobalMaxPool", "x", IMAGE),
    "gemm": one("Gemm", "x w b", ("n", 6), w=weight(6, 5), b=weight(5)),
    "gemm-transposed": one(
        "Gemm", "x w b", ("n", 6), w=weight(5, 6), b=weight(1, 5), transB=1, alpha=0.5, beta=2.0
    ),
    "gemm-alone": one("Gemm", "x w", ("n", 6), w=weight(6, 5)),
    "matmul": one("MatMul", "x w", ("n", 3, 6), w=weight(6, 5)),
    "matmul-in-front": one("MatMul", "w x", ("n", 3, 6), w=weight(5, 3)),
    "batch-normalization": one(
        "BatchNormalization",
        "x s b m v",
        VOLUME,
        s=positive(2),
        b=weight(2),
        m=weight(2),
        v=positive(2),
        epsilon=1e-3,
    ),
    "batch-normalization-opset7": one(
        "BatchNormalization",
        "x s b m v",
        ("n", 6),
        opset=7,
        s=positive(6),
        b=weight(6),
        m=weight(6),
        v=positive(6),
    ),
    "instance-normalization": one(
        "InstanceNormalization", "x s b", IMAGE, s=positive(4), b=weight(4)
    ),
    "group-normalization": Graph(
        [node("GroupNormalization", "x s b", num_groups=2)],
        IMAGE,
        {"s": positive(4), "b": weight(4)},
        opset=21,
        output=IMAGE,
    ),
    "layer-normalization": one("LayerNormalization", "x s b", LINE, s=positive(9), b=weight(9)),
    "layer-normalization-axes": one(
        "LayerNormalization", "x s", IMAGE, s=positive(7, 8), axis=2, epsilon=1e-3
    ),
    "lrn": one("LRN", "x", IMAGE, size=3, alpha=0.2, beta=0.75, bias=2.0),
    "reduce-mean": one("ReduceMean", "x", IMAGE, axes=[2, 3], keepdims=0),
    "reduce-mean-kept": one("ReduceMean", "x", VOLUME, axes=[-1, -2, -3]),
    "reduce-mean-channels": one("ReduceMean", "x", IMAGE, axes=[1]),
    "reduce-mean-opset18": one("ReduceMean", "x a", LINE, opset=18, a=np.array([2]), keepdims=0),
    "reduce-max": one("ReduceMax", "x", IMAGE, axes=[3], keepdims=0),
    "reduce-max-all": one("ReduceMax", "x", IMAGE, axes=[2, 3]),
    "reduce-min": one("ReduceMin", "x", IMAGE, axes=[1], keepdims=0),
    "reduce-sum": one("ReduceSum", "x a", IMAGE, a=np.array([2]), keepdims=1),
    "relu": one("Relu", "x", IMAGE),
    "leaky-relu": one("LeakyRelu", "x", IMAGE, alpha=0.2),
    "prelu": one("PRelu", "x s", IMAGE, s=positive(4, 1, 1)),
    "prelu-shared": one("PRelu", "x s", LINE, s=positive(1)),
    "prelu-elements": one("PRelu", "x s", ("n", 6), s=positive(6)),
    "elu": one("Elu", "x", IMAGE, alpha=0.7),
    "selu": one("Selu", "x", IMAGE),
    "gelu": one("Gelu", "x", IMAGE, opset=20),
    "gelu-tanh": one("Gelu", "x", IMAGE, opset=20, approximate="tanh"),
    "sigmoid": one("Sigmoid", "x", IMAGE),
    "tanh": one("Tanh", "x", IMAGE),
    "softplus": one("Softplus", "x", IMAGE),
    "softsign": one("Softsign", "x", IMAGE),
    "hard-sigmoid": one("HardSigmoid", "x", IMAGE),
    "hard-sigmoid-sixth": one("HardSigmoid", "x", IMAGE, alpha=1 / 6, beta=0.5),
    "hard-swish": one("HardSwish", "x", IMAGE),
    "mish": one("Mish", "x", IMAGE, opset=18),
    "swish": one("Swish", "x", IMAGE, opset=24),
    "clip6": one("Clip", "x lo hi", IMAGE, lo=number(0), hi=number(0.6)),
    "clip": one("Clip", "x - hi", IMAGE, hi=number(0.3)),
    "clip-opset6": one("Clip", "x", IMAGE, opset=10, min=-0.2, max=0.3),
    "softmax": one("Softmax", "x", ("n", 6), axis=1),
    "softmax-channels": one("Softmax", "x", IMAGE, axis=1),
    "softmax-opset11": one("Softmax", "x", ("n", 6), opset=11),
    "log-softmax": one("LogSoftmax", "x", ("n", 6)),
    "abs": one("Abs", "x", IMAGE),
    "neg": one("Neg", "x", IMAGE),
    "exp": one("Exp", "x", IMAGE),
    "identity": one("Identity", "x", IMAGE),
    "cast": one("Cast", "x", IMAGE, to=TensorProto.FLOAT),
    "dropout": one("Dropout", "x r", IMAGE, r=number(0.3)),
    "dropout-opset10": one("Dropout", "x", IMAGE, opset=10, ratio=0.3),
    "log": Graph([node("Abs", "x", "a"), node("Log", "a")], ("n", 6)),
    "sqrt": Graph([node("Abs", "x", "a"), node("Sqrt", "a")], ("n", 6)),
    "reciprocal": Graph([node("Exp", "x", "a"), node("Reciprocal", "a")], ("n", 6)),
    "add-channels": one("Add", "x c", IMAGE, c=weight(4, 1, 1)),
    "add-number": one("Add", "c x", IMAGE, c=weight()),
    "add-elements": one("Add", "x c", IMAGE, c=weight(1, 4, 7, 8)),
    "sub-from": one("Sub", "c x", IMAGE, c=weight(7, 1)),
    "sub-number-from": one("Sub", "c x", IMAGE, c=weight(1)),
    "sub": one("Sub", "x c", IMAGE, c=weight(8)),
    "mul": one("Mul", "x c", IMAGE, c=weight(4, 1, 8)),
    "mul-widening": one("Mul", "x c", ("n", 4, 1, 8), c=weight(4, 3, 1)),
    "div": one("Div", "x c", IMAGE, c=positive(4, 1, 1)),
    "div-into": Graph([node("Exp", "x", "e"), node("Div", "c e")], IMAGE, {"c": weight(4, 1, 1)}),
    "pow": one("Pow", "x c", IMAGE, c=number(2)),
    "pow-root": Graph([node("Exp", "x", "e"), node("Pow", "e c")], IMAGE, {"c": number(0.75)}),
    "max-number": one("Max", "x c", IMAGE, c=number(0.1)),
    "min-number": one("Min", "x c", IMAGE, c=number(0.1)),
    "tensors": Graph(
        [
            node("Relu", "x", "a"),
            node("Tanh", "x", "b"),
            node("Add", "a b", "c"),
            node("Sub", "c x", "d"),
            node("Mul", "d a", "e"),
            node("Exp", "b", "f"),
            node("Div", "e f", "g"),
            node("Max", "g x a", "h"),
            node("Min", "h b", "i"),
            node("Sum", "i a b"),
        ],
        IMAGE,
    ),
    "concat": Graph([node("Tanh", "x", "a"), node("Concat", "x a", axis=1)], VOLUME),
    "concat-last": Graph([node("Tanh", "x", "a"), node("Concat", "x a x", axis=-1)], IMAGE),
    "transpose": one("Transpose", "x", IMAGE, perm=[0, 2, 3, 1]),
    "reshape": one("Reshape", "x s", IMAGE, s=np.array([0, 2, -1])),
    "reshape-samples": one("Reshape", "x s", IMAGE, s=np.array([-1, 8, 28])),
    "flatten": one("Flatten", "x", IMAGE),
    "squeeze": one("Squeeze", "x a", ("n", 1, 6, 1), a=np.array([1, -1])),
    "squeeze-opset11": one("Squeeze", "x", ("n", 1, 6, 1), opset=11, axes=[1]),
    "squeeze-all": Graph([node("Squeeze", "x")], ("n", 1, 6, 1), opset=11, output=("n", 6)),
    "unsqueeze": one("Unsqueeze", "x a", ("n", 6, 5, 5), a=np.array([1])),
    "unsqueeze-opset11": one("Unsqueeze", "x", ("n", 6), opset=11, axes=[1, 3]),
    "slice": one(
        "Slice",
        "x s e a t",
        IMAGE,
        s=np.array([1, -6]),
        e=np.array([3, np.iinfo(INT).max]),
        a=np.array([1, 3]),
        t=np.array([1, 2]),
    ),
    "slice-back": one(
        "Slice",
        "x s e a t",
        IMAGE,
        s=np.array([-1]),
        e=np.array([np.iinfo(INT).min]),
        a=np.array([1]),
        t=np.array([-1]),
    ),
    "slice-opset9": one("Slice", "x", IMAGE, opset=9, starts=[1], ends=[3], axes=[2]),
    "gather-one": one("Gather", "x i", IMAGE, i=np.array(-2), axis=2),
    "gather": one("Gather", "x i", IMAGE, i=np.array([3, 0, 1]), axis=1),
    "split": Graph(
        [
            node("Split", "x s", "a b", axis=1),
            node("GlobalAveragePool", "a", "c"),
            node("Mul", "c b", "d"),
            node("Concat", "a d", axis=1),
        ],
        IMAGE,
        {"s": np.array([1, 3])},
    ),
    "split-equal": Graph([node("Split", "x", "a b", axis=-1), node("Sub", "a b")], IMAGE, opset=11),
    "expand": one("Expand", "x s", ("n", 1, 6), s=np.array([1, 4, 1])),
    "tile": one("Tile", "x r", LINE, r=np.array([1, 1, 2])),
    "pad": one("Pad", "x p", IMAGE, p=np.array([0, 0, 1, 2, 0, 0, 0, 1])),
    "pad-channels": one("Pad", "x p", IMAGE, p=np.array([0, 1, 0, 0, 0, 2, 0, 0])),
    "pad-axes": one("Pad", "x p - a", IMAGE, opset=18, p=np.array([1, 2]), a=np.array([2])),
    "pad-opset9": one("Pad", "x", IMAGE, opset=9, pads=[0, 0, 1, 1, 0, 0, 1, 1]),
    "shape": Graph(
        [
            node("Shape", "x", "shape"),
            node("Gather", "shape zero", "samples"),
            node("Unsqueeze", "samples front", "one"),
            node("Concat", "one rest", "target", axis=0),
            node("Reshape", "x target"),
        ],
        IMAGE,
        {"zero": np.array(0), "front": np.array([0]), "rest": np.array([-1])},
    ),
    "size": Graph(
        [
            node("Size", "x", "size"),
            node("Div", "size inside", "samples"),
            node("Reshape", "x target", "flat"),
            node("Unsqueeze", "samples front", "one"),
            node("Concat", "one rest", "shape", axis=0),
            node("Reshape", "flat shape"),
        ],
        IMAGE,
        {
            "inside": np.array(224),
            "target": np.array([0, -1]),
            "front": np.array([0]),
            "rest": np.array([4, 56]),
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_node_is_that_of_onnx_runtime(name, tmp_path):
    scale = 0.5 if name.startswith(("exp", "pow")) else 2.0
    assert_equal(CASES[name].model(), tmp_path, scale)


def test_every_row_is_tested():
    tested = {node.op_type for graph in CASES.values() for node in graph.nodes}
    assert set(NODES) <= tested


def test_a_chain_of_convolutions_stays_channels_last(tmp_path):
    chain = Graph(
        [
            node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
            node("BatchNormalization", "a s b s v", "b1"),
            node("Relu", "b1", "c"),
            node("MaxPool", "c", "d", kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", "d w2", "e"),
            node("Add", "e d2", "f"),
            node("GlobalAveragePool", "f", "g"),
            node("Flatten", "g", "h"),
            node("Gemm", "h w3"),
        ],
        ("n", 6, 8, 8),
        {
            "w": weight(4, 6, 3, 3),
            "s": positive(4),
            "b": weight(4),
            "v": positive(4),
            "w2": weight(5, 4, 3, 3),
            "d2": weight(1, 5, 1, 1),
            "w3": weight(5, 3),
        },
    )
    source = assert_equal(chain.model(), tmp_path)
    # The term is the bias of the convolution in front of it.
    assert kinds(source) == [
        "Permute",
        "Conv2D",
        "BatchNormalization",
        "ReLU",
        "MaxPooling2D",
        "Conv2D",
        "GlobalAveragePooling2D",
        "Flatten",
        "Dense",
    ]
    assert source.model.layers[6].use_bias


def test_a_transposition_of_the_graph_moves_nothing(tmp_path):
    graph = Graph(
        [
            node("Transpose", "x", "a", perm=[0, 3, 1, 2]),
            node("Conv", "a w", "b"),
            node("Transpose", "b", perm=[0, 2, 3, 1]),
        ],
        ("n", 5, 5, 6),
        {"w": weight(4, 6, 3, 3)},
    )
    assert kinds(assert_equal(graph.model(), tmp_path)) == ["Conv2D"]


def test_rows_and_columns_stand_first_in_a_volume(tmp_path):
    graph = Graph(
        [
            node("Unsqueeze", "x one", "a"),
            node("Conv", "a w", "b"),
            node("Reshape", "b s", "c"),
            node("Conv", "c w2"),
        ],
        ("n", 8, 5, 5),
        {
            "one": np.array([1]),
            "w": weight(2, 1, 3, 3, 3),
            "s": np.array([0, 12, 3, 3]),
            "w2": weight(4, 12, 3, 3),
        },
    )
    source = assert_equal(graph.model(), tmp_path)
    shapes = [tuple(layer.output.shape[1:]) for layer in source.model.layers]
    assert (3, 3, 6, 2) in shapes
    assert kinds(source) == [
        "Reshape",
        "Permute",
        "Conv3D",
        "Permute",
        "Reshape",
        "Conv2D",
        "Permute",
    ]


def test_zeros_pad_a_maximum_of_what_is_not_negative(tmp_path):
    pool = node("MaxPool", "a", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    behind_relu = Graph([node("Relu", "x", "a"), pool], ("n", 2, 8, 8))
    assert kinds(assert_equal(behind_relu.model(), tmp_path))[2:] == [
        "ZeroPadding2D",
        "MaxPooling2D",
        "Permute",
    ]
    behind_tanh = Graph([node("Tanh", "x", "a"), pool], ("n", 2, 8, 8))
    assert kinds(assert_equal(behind_tanh.model(), tmp_path))[2:] == [
        "Take",
        "Take",
        "MaxPooling2D",
        "Permute",
    ]


def test_a_bias_that_others_miss_stays_a_term(tmp_path):
    graph = Graph(
        [node("MatMul", "x w", "a"), node("Add", "a b", "c"), node("Concat", "a c", axis=1)],
        ("n", 6),
        {"w": weight(6, 4), "b": weight(4)},
    )
    assert "Rescaling" in kinds(assert_equal(graph.model(), tmp_path))


@pytest.mark.parametrize("samples", [1, 5, "n"])
def test_fixed_and_open_numbers_of_samples(tmp_path, samples):
    target = np.array([1 if samples == 1 else -1, 96])
    if samples == 5:
        target = np.array([5, -1])
    graph = Graph(
        [node("Conv", "x w", "a"), node("Reshape", "a s", "b"), node("Gemm", "b w2")],
        (samples, 6, 6, 6),
        {"w": weight(6, 6, 3, 3), "s": target, "w2": weight(96, 5)},
    )
    source = adopted(graph.model(), tmp_path)
    assert source.model.input_shape == (None, 6, 6, 6)
    x = weight(7, 6, 6, 6)
    assert source.reference is not None
    np.testing.assert_allclose(source.model(x), source.reference([x]), atol=1e-4)


def test_a_file_for_one_sample_may_drop_its_axis(tmp_path):
    graph = Graph(
        [
            node("Conv", "x w", "a"),
            node("Reshape", "a s", "b"),
            node("Transpose", "b", "c", perm=[2, 0, 1]),
            node("Relu", "c", "d"),
            node("Concat", "d d", "e", axis=0),
            node("Add", "e t", "f"),
            node("Unsqueeze", "f zero", "g"),
            node("Conv", "g w2", "h"),
            node("Squeeze", "h", "i"),
            node("MatMul", "i w3", "j"),
            node("Add", "j t3"),
        ],
        (1, 3, 6, 6),
        {
            "w": weight(2, 3, 3, 3),
            "s": np.array([2, 4, 4]),
            "t": weight(2, 1),
            "zero": np.array([0]),
            "w2": weight(5, 8, 2, 4),
            "w3": weight(5, 4),
            "t3": weight(4),
        },
        output=(4,),
    )
    source = adopted(graph.model(), tmp_path)
    assert source.model.output_shape == (None, 4)
    x = weight(6, 3, 6, 6)
    session = onnxruntime.InferenceSession(graph.model().SerializeToString())
    expected = [session.run(None, {"x": one[None]})[0] for one in x]
    np.testing.assert_allclose(source.model(x), expected, atol=1e-4)


def test_samples_first_moves_in_a_file_for_one(tmp_path):
    graph = Graph(
        [
            node("Transpose", "x", "a", perm=[2, 0, 1]),
            node("MatMul", "a w", "b"),
            node("Transpose", "b", "c", perm=[1, 0, 2]),
            node("ReduceMean", "c", axes=[1], keepdims=0),
        ],
        (1, 6, 4),
        {"w": weight(6, 5)},
    )
    assert_equal(graph.model(), tmp_path)
