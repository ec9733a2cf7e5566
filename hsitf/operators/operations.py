"""Operations of `keras.ops`, by the name of the class that stands in a functional model."""

from __future__ import annotations

from functools import partial

from hsitf.operators import counting
from hsitf.operators.attention import NO_ATTENTION
from hsitf.operators.refusals import everywhere, in_rewriting
from hsitf.operators.row import OperatorType, Pooling, Role, always


def _same(row: OperatorType, names: str) -> dict[str, OperatorType]:
    """One row for several operations."""
    return dict.fromkeys(names.split(), row)


_elementwise = partial(OperatorType, Role.PASSES, elementwise=True)
_activation = partial(_elementwise, activation=True)
_joined = partial(OperatorType, Role.JOINS, elementwise=True)
_moves = partial(OperatorType, Role.MOVES)
_mixes = partial(OperatorType, Role.MIXES)

_NOT_REWRITTEN = in_rewriting(
    "no rule has been written for this operation yet",
    "use a layer or an operation that is lowered",
)
_NO_KERNEL = in_rewriting(
    "edge delegates have no integer kernel for this function",
    "use an activation that is lowered",
)
_NO_NUMBERS = in_rewriting(
    "it makes truth values or integers, which no rule follows",
    "compute with numbers only, for example with Maximum and Minimum",
)
_NO_STATISTIC = in_rewriting(
    "no rule has been written for this statistic", "use Mean, Sum, Max or Min, or a pooling layer"
)
_NO_PRODUCT = in_rewriting(
    "a product of two activations, or with an array of its own, has no rule yet",
    "put a constant matrix into Dense",
)
_NO_LOOSE_KERNEL = in_rewriting(
    "its kernel is an argument, not the weights of a layer", "use the layer of that name"
)

MOVING = {
    **_same(
        _moves(),
        "ExpandDims Flip GetItem Moveaxis Pad Repeat Reshape Roll Split Squeeze Swapaxes Take Tile "
        "Transpose Unstack",
    ),
    **_same(
        _moves(refusals=_NOT_REWRITTEN),
        "ArraySplit BroadcastTo Copy DepthToSpace Diag Diagflat Diagonal Dsplit ExtractPatches "
        "ExtractSequences Fliplr Flipud Hsplit Ravel Rearrange Rot90 Slice SpaceToDepth "
        "StopGradient TakeAlongAxis Tril Triu Unfold View Vsplit CropImages PadImages",
    ),
}

MERGING = {
    "Concatenate": OperatorType(Role.JOINS),
    "Stack": OperatorType(Role.JOINS),
    **_same(OperatorType(Role.JOINS, refusals=_NOT_REWRITTEN), "Append Dstack Hstack Vstack"),
    **_same(_joined(), "Add Divide Maximum Minimum Multiply Power Subtract TrueDivide"),
    **_same(
        _joined(refusals=_NO_KERNEL),
        "Arctan2 DivideNoNan FloorDivide Fmax Fmin Fmod Heaviside Hypot Ldexp Logaddexp "
        "Logaddexp2 Mod Nextafter",
    ),
    **_same(
        _joined(refusals=_NO_NUMBERS),
        "BitwiseAnd BitwiseLeftShift BitwiseOr BitwiseRightShift BitwiseXor Equal Gcd Greater "
        "GreaterEqual Isclose Lcm LeftShift Less LessEqual LogicalAnd LogicalOr LogicalXor "
        "NotEqual RightShift",
    ),
    **_same(_joined(refusals=_NOT_REWRITTEN), "Select Where"),
}

ELEMENTWISE = {
    **_same(_activation(homogeneous=always), "LeakyRelu Relu"),
    **_same(
        _activation(),
        "Elu Gelu HardSigmoid HardSilu HardTanh Relu6 Selu Sigmoid Silu Softplus Softsign Tanh",
    ),
    **_same(_elementwise(), "Absolute Clip Exp Log Negative Rsqrt Sqrt Square"),
    **_same(
        _activation(refusals=_NO_KERNEL),
        "Celu HardShrink LogSigmoid Mish ReLU SoftShrink SparsePlus SparseSigmoid Squareplus "
        "TanhShrink Threshold",
    ),
    **_same(
        _elementwise(refusals=_NO_KERNEL),
        "Arccos Arccosh Arcsin Arcsinh Arctan Arctanh Cbrt Cos Cosh Deg2rad Erf Erfc Erfinv Exp2 "
        "Expm1 Fabs I0 Log10 Log1p Log2 Rad2deg Reciprocal Sin Sinc Sinh Tan",
    ),
    **_same(
        _elementwise(refusals=_NO_NUMBERS),
        "BitwiseInvert BitwiseNot Ceil Digitize Floor IsIn Isfinite Isinf Isnan Isneginf Isposinf "
        "Isreal LogicalNot Round Sign Signbit Trunc",
    ),
    **_same(
        _elementwise(refusals=_NOT_REWRITTEN),
        "Cast EmptyLike FullLike NanToNum OnesLike SaturateCast ZerosLike",
    ),
    "Softmax": _mixes(activation=True),
    "LogSoftmax": _mixes(activation=True),
    **_same(_mixes(refusals=_NO_KERNEL), "Glu Sparsemax"),
}

POOLING = {
    # Over whichever axes they are asked to: not always positions.
    **_same(_mixes(), "Max Mean Min Sum"),
    **_same(
        _mixes(refusals=_NO_STATISTIC),
        "All Amax Amin Any Average CountNonzero Cumprod Cumsum Logsumexp Median Moments "
        "Nancumprod Nancumsum Nanmax Nanmean Nanmedian Nanmin Nanpercentile Nanprod Nanquantile "
        "Nanstd Nansum Nanvar Norm Percentile Prod Ptp Quantile Std Var Diff Trapezoid",
    ),
    "MaxPool": OperatorType(
        Role.PASSES,
        pooling=Pooling.MAX,
        refusals=in_rewriting("no rule has been written for this operation", "use MaxPooling2D"),
    ),
    "AveragePool": OperatorType(
        Role.PASSES,
        pooling=Pooling.AVERAGE,
        refusals=in_rewriting(
            "no rule has been written for this operation", "use AveragePooling2D"
        ),
    ),
    **_same(
        OperatorType(
            Role.PASSES,
            refusals=in_rewriting(
                "the windows of adaptive pooling differ in size from place to place",
                "use pooling with a fixed window, or global pooling",
            ),
        ),
        "AdaptiveAveragePool AdaptiveMaxPool",
    ),
    "Resize": OperatorType(Role.PASSES, rank=2, refusals=_NOT_REWRITTEN),
}

NORMALIZATION = _same(
    OperatorType(
        Role.NORMALIZES,
        refusals=in_rewriting(
            "normalization as an operation has no rule", "use the layer BatchNormalization"
        ),
    ),
    "BatchNorm LayerNorm Normalize RMSNorm",
)

PRODUCTS = {
    **_same(_mixes(macs=counting.matmul, refusals=_NO_PRODUCT), "Dot Inner"),
    "Matmul": _mixes(macs=counting.matmul),
    "Einsum": _mixes(macs=counting.einsum_operation),
    "Tensordot": _mixes(macs=counting.tensordot, refusals=_NO_PRODUCT),
    **_same(
        _mixes(macs=counting.convolution_operation, refusals=_NO_LOOSE_KERNEL),
        "Conv DepthwiseConv",
    ),
    "ConvTranspose": _mixes(macs=counting.transposed_operation, refusals=_NO_LOOSE_KERNEL),
    "SeparableConv": _mixes(macs=counting.separable_operation, refusals=_NO_LOOSE_KERNEL),
    "DotProductAttention": _mixes(macs=counting.attention_operation, refusals=NO_ATTENTION),
}


def _refused(reason: str, remedy: str, names: str) -> dict[str, OperatorType]:
    return _same(OperatorType(Role.OPAQUE, refusals=everywhere(reason, remedy)), names)


REFUSED = {
    **_refused(
        "it runs a function whose operations do not stand in the network",
        "call the operations one by one, or write a layer and register it",
        "AssociativeScan Cond ForiLoop JVP Map Scan Switch VectorizedMap WhileLoop",
    ),
    **_refused(
        "it makes a tensor of nothing that the network is fed with",
        "keep constants in a layer's weights",
        "Arange Array ConvertToTensor Full Geomspace Linspace Logspace Meshgrid MultiHot OneHot "
        "Ndim Size Vander",
    ),
    **_refused(
        "how much it computes depends on the values, or on the order of them",
        "compute it outside the network",
        "AllClose Argmax Argmin Argpartition Argsort Bincount CTCDecode Histogram InTopK Nanargmax "
        "Nanargmin Nonzero Scatter ScatterUpdate SearchSorted SegmentMax SegmentMin SegmentProd "
        "SegmentSum SliceUpdate Sort TopK Unique UnravelIndex",
    ),
    **_refused(
        "linear algebra of whole matrices has no place in a network for edge devices",
        "compute it before training and keep the result in a layer's weights",
        "CDist Cholesky CholeskyInverse Corrcoef Correlate Cross Det Eig Eigh Inv Kron Logdet "
        "Lstsq LuFactor MatrixRank Outer Pinv Qr SVD Slogdet Solve SolveTriangular Trace Vdot",
    ),
    **_refused(
        "it computes with complex numbers or spectra of signals",
        "compute it outside the network and feed its result",
        "Angle Conjugate FFT FFT2 IFFT2 IRFFT ISTFT Imag Polar RFFT Real STFT ViewAsComplex "
        "ViewAsReal",
    ),
    **_refused(
        "it measures an error, which is of use in training only",
        "give it to compile() as the loss",
        "BinaryCrossentropy CTCLoss CategoricalCrossentropy PSNR SSIM "
        "SparseCategoricalCrossentropy",
    ),
    **_refused(
        "it prepares or augments pictures",
        "leave it out of the network and prepare the data before",
        "AffineTransform ElasticTransform Fold GaussianBlur HSVToRGB MapCoordinates "
        "PerspectiveTransform RGBToGrayscale RGBToHSV ScaleAndTranslate SobelEdges",
    ),
}

OPERATIONS = {
    **MOVING,
    **MERGING,
    **ELEMENTWISE,
    **POOLING,
    **NORMALIZATION,
    **PRODUCTS,
    **REFUSED,
}
