"""The tables of all operators that are known, and the rules that stages keep for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import keras

from hsitf.errors import HsitfError, InputError
from hsitf.operators.row import Capability, OperatorType, Role, Rows
from hsitf.operators.shapes import CallShapes

R = TypeVar("R")

_LAYERS: dict[str | type[Any], OperatorType] = {}
_OPERATIONS: dict[str, OperatorType] = {}


def register(layer_class: type[Any], row: OperatorType, *, replace: bool = False) -> None:
    """Makes a layer of your own known to all stages.

    With a row, a network that contains the layer is counted (`cost`, `--macs`), drawn, and its
    weights can be pruned one by one. Pruning whole channels and lowering need to know how the
    layer is rewritten: give them a rule each, with `hsitf.prune.rules.TABLE.register` and
    `hsitf.lower.rules.TABLE.register`.

    Args:
        layer_class: A subclass of `keras.Layer`, or of `keras.Operation` for an operation of
            your own. Subclasses of it are types of their own.
        row: The facts about it. `refusals` may say, stage by stage, why it cannot be taken.
        replace: Whether it may take the place of a row that exists.

    Raises:
        InputError: It is no layer or operation, or has a row and `replace` is false.

    Example:
        A layer that doubles every number, and a dense layer with a penalty of its own:

        >>> register(Double, OperatorType(Role.PASSES, elementwise=True))
        >>> register(
        ...     Sparse,
        ...     OperatorType(
        ...         Role.PRODUCES, kernels=(KernelAxes("kernel"),), macs=kernel_per_output
        ...     ),
        ... )
    """
    if not (isinstance(layer_class, type) and issubclass(layer_class, keras.Operation)):
        raise InputError(
            "only classes of layers and operations have a row",
            received=repr(layer_class),
            allowed="subclasses of keras.Layer or keras.Operation",
            remedy="give the class, not a layer",
        )
    if _known(layer_class) is not None and not replace:
        raise InputError(
            f"the layer type {layer_class.__name__!r} has a row",
            remedy="give replace=True to change what is known about it",
        )
    _LAYERS[layer_class] = row


def add(layers: Rows, operations: Mapping[str, OperatorType] | None = None) -> None:
    """Adds the rows of a family, by class or by the name of a class of Keras."""
    _LAYERS.update(layers)
    _OPERATIONS.update(operations or {})


def find(operation: Any) -> OperatorType | None:
    """What is known about the type of a layer or an operation; None where nothing is."""
    return _known(type(operation))


def find_type(kind: type[Any]) -> OperatorType | None:
    """What is known about a class; None where nothing is."""
    return _known(kind)


def row_of_type(kind: type[Any]) -> OperatorType:
    """What is known about a class.

    Raises:
        InputError: Nothing is.
    """
    row = _known(kind)
    if row is None:
        raise InputError(
            f"nothing is known about the layer type {kind.__name__!r}",
            remedy="register it with hsitf.operators.register",
        )
    return row


def _known(kind: type[Any]) -> OperatorType | None:
    if kind in _LAYERS:
        return _LAYERS[kind]
    if kind.__module__.partition(".")[0] != "keras":
        return None
    table: Mapping[Any, OperatorType] = _LAYERS if issubclass(kind, keras.Layer) else _OPERATIONS
    return table.get(kind.__name__)


def follows(operation: Any) -> bool:
    """Whether an operation is what may stand between a kernel and those that read its result.

    These are normalization as it is in inference, activations, and layers that act in training
    only: what changes each number by itself. Further functions, such as Square, are not.
    """
    row = find(operation)
    if row is None or not row.elementwise or row.role is Role.JOINS:
        return False
    return row.activation or isinstance(operation, keras.Layer)


def row_of(operation: Any, capability: Capability) -> OperatorType:
    """What is known about the type of a layer, for a stage that can take it.

    Raises:
        HsitfError: Nothing is known about it, or the stage refuses it.
    """
    row = find(operation)
    if row is None or row.refusal(capability) is not None:
        raise unsupported(operation, capability)
    return row


def count(operation: Any, shapes: CallShapes) -> int:
    """Multiply-accumulates of a layer or an operation at one place, one sample.

    Raises:
        InputError: Its type is not known, cannot be counted, or has its channels first.
    """
    row = row_of(operation, Capability.COST)
    if row.kernels and getattr(operation, "data_format", None) == "channels_first":
        raise InputError(
            f"layer {operation.name!r} ({type(operation).__name__}) cannot be counted, because "
            "its channels come first",
            allowed="channels_last",
            remedy="build the network with channels last",
        )
    return row.macs(operation, shapes)


def unsupported(
    operation: Any, capability: Capability, error: type[HsitfError] = InputError
) -> HsitfError:
    """The error for a layer that a stage cannot take: its name, its class, why, and what to do.

    Args:
        operation: The layer, or an operation of `keras.ops`.
        capability: What the stage would do with it.
        error: Class of the error.
    """
    row, kind = find(operation), type(operation).__name__
    what = f"layer {operation.name!r} ({kind}) cannot be {capability.value}"
    refusal = row.refusal(capability) if row is not None else None
    if refusal is not None:
        return error(f"{what}, because {refusal.reason}", remedy=refusal.remedy)
    if row is None:
        return error(
            f"{what}, because nothing is known about its type",
            allowed="the types in docs/reference/layers.md, and those registered",
            remedy="register it with hsitf.operators.register, leave it out, or replace it by a "
            "layer that is known",
        )
    return error(
        f"{what}, because this stage has no rule for its type",
        allowed="the types in docs/reference/layers.md, and those registered",
        remedy="register a rule with the table of this stage, leave the layer out, or replace it",
    )


class RuleTable(Generic[R]):
    """The rules that one stage keeps for layer types, each of which has a row.

    Args:
        capability: What the stage does with layers.
        layers: Rules by layer class.
        operations: Rules by the name of an operation's class, since Keras does not export these.
        error: Class of the error for a type without a rule.
    """

    def __init__(
        self,
        capability: Capability,
        layers: Mapping[type[Any], R],
        operations: Mapping[str, R],
        error: type[HsitfError] = InputError,
    ) -> None:
        self.capability, self._error = capability, error
        self._layers, self._operations = dict(layers), dict(operations)
        missing = [kind.__name__ for kind in layers if _known(kind) is None]
        missing += [name for name in operations if name not in _OPERATIONS]
        if missing:
            raise InputError(
                f"rules for types without a row: {', '.join(missing)}",
                remedy="give each a row in hsitf/operators",
            )

    def find(self, operation: Any) -> R | None:
        """The rule for the type of a layer or an operation; None where there is none."""
        return self.find_type(type(operation))

    def find_type(self, kind: type[Any]) -> R | None:
        """The rule for a class; None where there is none."""
        if kind in self._layers:
            return self._layers[kind]
        own = kind.__module__.partition(".")[0] == "keras" and not issubclass(kind, keras.Layer)
        return self._operations.get(kind.__name__) if own else None

    def rule(self, operation: Any) -> R:
        """The rule for the type of a layer or an operation.

        Raises:
            HsitfError: There is none.
        """
        rule = self.find(operation)
        if rule is None:
            raise unsupported(operation, self.capability, self._error)
        return rule

    def register(self, layer_class: type[Any], rule: R) -> None:
        """Gives a layer type a rule; its row is to be registered before.

        Raises:
            InputError: The type has no row.
        """
        if _known(layer_class) is None:
            raise InputError(
                f"the layer type {layer_class.__name__!r} has no row",
                remedy="register one first, with hsitf.operators.register",
            )
        self._layers[layer_class] = rule

    def __iter__(self) -> Iterator[str]:
        yield from (kind.__name__ for kind in self._layers)
        yield from self._operations


Rule = Callable[..., Any]
