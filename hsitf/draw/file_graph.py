"""The operators and tensors of an exported file, whatever its format, as a drawing shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hsitf.draw.boxes import DrawnBox
from hsitf.errors import InputError

# A drawing of more is no longer looked at, and takes minutes.
MAX_OPERATORS = 3000
# Letters of a line, and constants of an operator that are listed.
_MAX_LETTERS, _MAX_CONSTANTS = 84, 3
_FAMILIES = (
    ("convolution", ("conv",)),
    ("dense", ("fully_connected", "gemm", "matmul", "mat_mul")),
    ("pooling", ("pool", "mean")),
)


@dataclass(frozen=True)
class FileTensor:
    """A tensor of a file.

    Attributes:
        name: Name in the file.
        shape: Sizes; text where the file leaves one open.
        dtype: Type as NumPy names it.
        scales: Scales of an integer tensor, one or one per channel; empty where it has none.
        zero_points: Zero points, likewise.
        constant: Whether its values are stored in the file.
        stored_as: Integer type that the file gives a float tensor by quantizing and dequantizing
            it on the spot, which engines fuse; empty where it does not.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    constant: bool = False
    stored_as: str = ""

    @property
    def size(self) -> str:
        """Its shape and type."""
        shape = " x ".join(map(str, self.shape)) if self.shape else "scalar"
        return f"{shape} {self.dtype}"

    @property
    def quantization(self) -> str:
        """Its scales and zero points; empty where it has none."""
        if not self.scales:
            return ""
        zeros = sorted(set(self.zero_points)) or [0]
        zero = f"zero point {zeros[0]}"
        if len(zeros) > 1:
            zero = f"zero points {zeros[0]} to {zeros[-1]}"
        stored = f"{self.stored_as}, " if self.stored_as else ""
        return f"{stored}{self.scale_range}, {zero}"

    @property
    def scale_range(self) -> str:
        """Its scale, or the range of several."""
        if len(self.scales) == 1:
            return f"scale {self.scales[0]:.4g}"
        return f"{len(self.scales)} scales {min(self.scales):.3g} to {max(self.scales):.3g}"


@dataclass(frozen=True)
class FileOperator:
    """An operator of a file.

    Attributes:
        name: Name in the format, such as CONV_2D or Conv.
        settings: What the file says of it, such as "strides 2 x 2"; may be empty.
        inputs: Indices of its input tensors.
        outputs: Indices of its output tensors.
    """

    name: str
    settings: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class FileGraph:
    """The graph of a file.

    Attributes:
        tensors: All tensors.
        inputs: Indices of the inputs of the graph.
        operators: In the order of execution.
        further: Graphs of the file besides this one, such as bodies of loops.
        folded: Operators that are written at a tensor, such as QuantizeLinear.
    """

    tensors: tuple[FileTensor, ...]
    inputs: tuple[int, ...]
    operators: tuple[FileOperator, ...]
    further: int = 0
    folded: int = 0


def check_number(path: Path, count: int) -> None:
    """Refuses a file of more operators than a drawing can show.

    Raises:
        InputError: There are too many.
    """
    if count > MAX_OPERATORS:
        raise InputError(
            f"{path} has too many operators for a drawing",
            received=f"{count:,} operators",
            allowed=f"{MAX_OPERATORS:,}",
            remedy="draw the network that it was made from: --from with its run",
        )


def file_boxes(graph: FileGraph) -> list[DrawnBox]:
    """One box for each input and each operator of a file."""
    quantized = any(tensor.scales for tensor in graph.tensors)
    boxes: list[DrawnBox] = []
    makers: dict[int, int] = {}
    for index in graph.inputs:
        tensor = graph.tensors[index]
        makers[index] = len(boxes)
        boxes.append(
            DrawnBox(_tail(tensor.name), tensor.size, ("input", tensor.quantization), (), 0)
        )
    for operator in graph.operators:
        takes = tuple(dict.fromkeys(makers[one] for one in operator.inputs if one in makers))
        row = 1 + max((boxes[number].row for number in takes), default=-1)
        for one in operator.outputs:
            makers[one] = len(boxes)
        leaving = [graph.tensors[one] for one in operator.outputs]
        constants = [
            graph.tensors[one]
            for one in operator.inputs
            if graph.tensors[one].constant and one not in makers
        ]
        first = leaving[0] if leaving else FileTensor("", (), "nothing")
        boxes.append(
            DrawnBox(
                operator.name,
                first.size + (f" and {len(leaving) - 1} more" if len(leaving) > 1 else ""),
                _lines(operator, first, constants, quantized),
                takes,
                row,
                family=_family(operator.name),
            )
        )
    return boxes


def file_title(name: str, graph: FileGraph, size: int) -> str:
    """Title of a drawing: what there is in the file."""
    stored = sum(1 for tensor in graph.tensors if tensor.constant)
    further = f", {graph.further} further graphs not drawn" if graph.further else ""
    count = len(graph.operators) + graph.folded
    folded = f" ({graph.folded} of them written at their tensors)" if graph.folded else ""
    return f"{name}: {count} operators{folded},\n{stored} constants, {size:,} bytes{further}"


def _lines(
    operator: FileOperator, first: FileTensor, constants: Sequence[FileTensor], quantized: bool
) -> tuple[str, ...]:
    """Lines of an operator: settings and constants; of quantized files, their scales, too."""
    settings = ", ".join(filter(None, (_tail(first.name), operator.settings)))
    lines = [settings, "; ".join(_sizes(constants))]
    if quantized:
        lines.append(_scales(constants))
        lines.append(f"output: {first.quantization}" if first.quantization else "")
    return tuple(line[:_MAX_LETTERS] for line in lines)


def _scales(constants: Sequence[FileTensor]) -> str:
    """The scales of an operator's constants, and their zero points where these are not all 0."""
    shown = [tensor for tensor in constants[:_MAX_CONSTANTS] if tensor.scales]
    if any(any(tensor.zero_points) for tensor in shown):
        return "; ".join(tensor.quantization for tensor in shown)
    text = "; ".join(tensor.scale_range for tensor in shown)
    return f"{text}, zero point 0" if text else ""


def _sizes(constants: Sequence[FileTensor]) -> Iterator[str]:
    for tensor in constants[:_MAX_CONSTANTS]:
        yield tensor.size
    if len(constants) > _MAX_CONSTANTS:
        yield f"{len(constants) - _MAX_CONSTANTS} more"


def _family(name: str) -> str:
    lower = name.lower()
    return next((family for family, parts in _FAMILIES if any(part in lower for part in parts)), "")


def _tail(name: str) -> str:
    """The end of a tensor's name, which tells it from others: converters put scopes before it."""
    short = name.split(";")[0].rstrip("/").rpartition("/")[2] or name
    return short[-30:]
