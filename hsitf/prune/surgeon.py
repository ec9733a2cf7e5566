"""Surgery on a network: layers and channels are deleted, inserted and replaced by name.

The function names are those of keras-surgeon, for whose users there is a page
(`docs/how-to/migrate-from-keras-surgeon.md`).
Channels are removed by a `PruningPlan` and `thin`; layers are edited in one pass through the
network, in which each layer is replaced by a chain of layers: none, another one, or itself and a
new one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
from keras import KerasTensor, layers
from numpy.typing import ArrayLike

from hsitf.errors import InputError, unknown
from hsitf.graph import (
    Call,
    copy_weights,
    inputs_like,
    outputs_like,
    unwrap_single,
    walk,
)
from hsitf.prune.plans import plan_from_channels
from hsitf.prune.thinning import thin
from hsitf.prune.tracing import trace

Position = Literal["before", "after"]
# The chains of layers that replace layers, by the Python identity of the layer.
Chains = Mapping[int, tuple[Any, ...]]

# What each job needs besides the layer that it is done to.
JOBS: dict[str, list[str]] = {
    "delete_layer": [],
    "insert_layer": ["new_layer"],
    "replace_layer": ["new_layer"],
    "delete_channels": ["channels"],
}


def delete_channels(
    model: keras.Model, layer: str | keras.Layer, channels: ArrayLike
) -> keras.Model:
    """A new network without some channels of a layer and all channels coupled with them.

    Where outputs of layers are added or multiplied, their channels are coupled and removed
    together; where they are concatenated or flattened, the following layers lose the matching
    weights. The result equals the original with those channels masked to zero wherever they are
    consumed.

    Args:
        model: A functional or sequential model, channels last, inputs of fixed shape.
        layer: A layer that produces channels (filters, units), or an input. Inputs and layers at
            the outputs lose channels only where they are named here themselves.
        channels: (n,) integers, indices of the channels; negative ones count from the end.

    Raises:
        InputError: There is no such layer or channel, nothing would be left of a layer, the
            channels are tied to inputs or outputs, or a layer has no rule for pruning.

    Warns:
        UserWarning: A layer measures the channels by one another, such as layer normalization,
            so that the result only approximates the zeroed original.
    """
    return Surgeon(model).add_job("delete_channels", layer, channels=channels).operate()


def delete_layer(model: keras.Model, layer: str | keras.Layer) -> keras.Model:
    """A new network without a layer: its input is connected to the layers that read its output.

    Args:
        model: A functional or sequential model.
        layer: A layer with a single input and a single output.

    Raises:
        InputError: There is no such layer, it has several inputs or outputs, or a following layer
            does not accept its new input.
    """
    return Surgeon(model).add_job("delete_layer", layer).operate()


def insert_layer(
    model: keras.Model, layer: str | keras.Layer, new_layer: keras.Layer, where: Position = "before"
) -> keras.Model:
    """A new network with a further layer before or after one that it has.

    Of a layer that is called several times, each call gets the new one. Before a layer means on its
    own path: other layers that read the same tensor still read it unchanged.

    Args:
        model: A functional or sequential model.
        layer: A layer with a single input (before) or a single output (after).
        new_layer: The layer to insert, with its weights if it is built; it is copied.
        where: Whether to insert it before or after the layer.

    Raises:
        InputError: There is no such layer, it has several inputs or outputs, a following layer does
            not accept its new input, or the new layer's name is used.
    """
    return Surgeon(model).add_job("insert_layer", layer, new_layer=new_layer, where=where).operate()


def replace_layer(
    model: keras.Model, layer: str | keras.Layer, new_layer: keras.Layer
) -> keras.Model:
    """A new network with one layer replaced by another, the weights of all others kept.

    Args:
        model: A functional or sequential model.
        layer: The layer to be replaced, at all its calls.
        new_layer: The replacement, with its weights if it is built; it is copied.

    Raises:
        InputError: There is no such layer, the new one or a following layer does not accept its
            input, or the new layer's name is used.
    """
    return Surgeon(model).add_job("replace_layer", layer, new_layer=new_layer).operate()


@dataclass(frozen=True, eq=False)
class _Job:
    """One thing to be done.

    Attributes:
        kind: One of `JOBS`.
        layer: Name of the layer it is done to.
        channels: Indices of the channels to delete.
        new_layer: The layer to insert or replace with.
        where: Position of the inserted layer relative to the layer.
    """

    kind: str
    layer: str
    channels: tuple[int, ...]
    new_layer: Any
    where: Position

    def chain(self, layer: Any) -> tuple[Any, ...]:
        """The layers that replace the layer, in the order of the forward pass."""
        both = (self.new_layer, layer) if self.where == "before" else (layer, self.new_layer)
        chains: dict[str, tuple[Any, ...]] = {
            "delete_layer": (),
            "replace_layer": (self.new_layer,),
            "insert_layer": both,
        }
        return chains.get(self.kind, (layer,))


class Surgeon:
    """Collects changes of a network and applies them at once.

    Layers are deleted, inserted and replaced first, all in one pass. Channels are removed from the
    resulting network, with all channels coupled with them there. The original is unchanged: the new
    network has copies of the layers, which keep their names and weights, and is not compiled.
    Nested models are flattened; layers whose names would otherwise be equal get a number.

    Args:
        model: A functional or sequential model.
        copy: An argument of keras-surgeon. None and True are the same here, since layers are always
            copied.

    Raises:
        InputError: The model is neither functional nor sequential, or its layers are not to be
            copied.
    """

    def __init__(self, model: keras.Model, copy: bool | None = None) -> None:
        if copy is False:
            raise InputError(
                "a network and what surgery makes of it share no layers",
                received="copy=False",
                remedy="leave copy out",
            )
        self._model = functional(model)
        self._layers = layers_by_name(self._model)
        self._jobs: dict[str, _Job] = {}

    def add_job(
        self,
        job: str,
        layer: str | keras.Layer,
        *,
        channels: ArrayLike | None = None,
        new_layer: keras.Layer | None = None,
        where: Position = "before",
    ) -> Surgeon:
        """Adds a job, one a layer at most; nothing happens before `operate`.

        Args:
            job: delete_layer, insert_layer, replace_layer or delete_channels.
            layer: The layer to change, or its name.
            channels: For delete_channels, (n,) integers, negative ones count from the end.
            new_layer: For insert_layer and replace_layer.
            where: For insert_layer, before or after.

        Returns:
            Itself, so that jobs can be added in a row.

        Raises:
            InputError: Unknown job or layer, the layer has a job already, or the job lacks an
                argument or has one that it does not need.
        """
        _check_job(job, {"channels": channels, "new_layer": new_layer}, where)
        name = resolve_layer(self._layers, layer)
        if name in self._jobs:
            raise InputError(
                f"layer {name!r} has a job already",
                received=f"{job} besides {self._jobs[name].kind}",
                allowed="one job a layer",
                remedy="operate first, and again on the new network",
            )
        if isinstance(self._layers[name], layers.InputLayer) and job != "delete_channels":
            raise InputError(
                f"{name!r} is an input of the network",
                received=job,
                allowed="delete_channels",
                remedy="name the layer behind it",
            )
        indices = () if channels is None else _integers(name, channels)
        self._jobs[name] = _Job(job, name, indices, new_layer, where)
        return self

    def operate(self) -> keras.Model:
        """Does all jobs.

        Returns:
            A new functional model.

        Raises:
            InputError: A job is not possible; the message names the layer and the reason.
        """
        chains = {
            id(layer): self._jobs[name].chain(layer)
            for name, layer in self._layers.items()
            if name in self._jobs
        }
        network = _rebuilt(self._model, _names(self._layers, chains), chains)
        removed = {
            name: job.channels for name, job in self._jobs.items() if job.kind == "delete_channels"
        }
        return _thinned(network, removed) if removed else network


def _check_job(job: str, given: Mapping[str, Any], where: str) -> None:
    if job not in JOBS:
        raise unknown("job", job, JOBS)
    present = [name for name, value in given.items() if value is not None]
    if present != JOBS[job]:
        raise InputError(
            f"the job {job} lacks an argument",
            received=", ".join(present) or "the layer alone",
            allowed=", ".join(JOBS[job]) or "the layer alone",
        )
    if where not in ("before", "after") or (where == "after" and job != "insert_layer"):
        raise InputError(
            f"the job {job} cannot be done {where} a layer", allowed="insert_layer before or after"
        )
    new_layer = given["new_layer"]
    if new_layer is not None and not isinstance(new_layer, keras.Layer):
        raise InputError(
            "the new layer is not a Keras layer",
            received=repr(new_layer),
            allowed="a Keras layer, such as keras.layers.ReLU()",
        )


def _integers(name: str, channels: ArrayLike) -> tuple[int, ...]:
    indices = np.atleast_1d(np.asarray(channels))
    if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
        raise InputError(
            f"the channels of layer {name!r} are given by their indices",
            received=f"{indices.dtype} of shape {indices.shape}",
            allowed="a list of integers",
        )
    return tuple(int(index) for index in indices)


# --- finding layers ------------------------------------------------------------------------


def functional(model: keras.Model) -> keras.Model:
    """The same layers as a functional model, for a model that is one or is sequential.

    Raises:
        InputError: The model has no graph of layers that could be changed.
    """
    # Keras answers with an AttributeError too where a sequential model waits for its first input.
    if getattr(model, "inputs", None) is None or getattr(model, "outputs", None) is None:
        raise InputError(
            "the network has no graph of layers",
            received=type(model).__name__,
            allowed="functional models, and sequential ones that begin with keras.Input",
        )
    return keras.Model(model.inputs, model.outputs, name=model.name)


def layers_by_name(model: keras.Model) -> dict[str, Any]:
    """Inputs, layers and operations of a network, each once, in the order of the forward pass.

    Of layers inside models inside the model that have the same name, the second gets a number.
    """
    known: dict[str, Any] = {layer.name: layer for layer in _inputs(model)}
    visited: set[int] = set()

    def visit(call: Call, entering: list[None]) -> list[None]:
        if id(call.operation) not in visited:
            visited.add(id(call.operation))
            known[_unused(call.operation.name, known)] = call.operation
        return [None] * len(call.shapes)

    walk(model, [None] * len(model.inputs), visit)
    return known


def _inputs(model: keras.Model) -> list[Any]:
    """The input layers of a functional model, in the order of its inputs."""
    return [tensor._keras_history.operation for tensor in model.inputs]


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    found, count = name, 1
    while found in taken:
        found, count = f"{name}_{count}", count + 1
    return found


def resolve_layer(known: Mapping[str, Any], layer: str | keras.Layer) -> str:
    """The name of a layer that is given by its name or as an object.

    Raises:
        InputError: The network has no such layer.
    """
    if isinstance(layer, str):
        if layer not in known:
            raise unknown("layer", layer, known)
        return layer
    for name, own in known.items():
        if own is layer:
            return name
    raise InputError(
        f"layer {getattr(layer, 'name', layer)!r} is not one of this network's",
        received=type(layer).__name__,
        remedy="name the layer, or take it from this very network with get_layer",
    )


# --- changing layers -----------------------------------------------------------------------


def _names(known: Mapping[str, Any], chains: Chains) -> dict[int, str]:
    """The names of all layers of the new network, by their Python identity."""
    names = {
        id(layer): name for name, layer in known.items() if layer in chains.get(id(layer), (layer,))
    }
    for new in (layer for chain in chains.values() for layer in chain if id(layer) not in names):
        if new.name in names.values():
            raise InputError(
                f"two layers of the network would be called {new.name!r}",
                remedy="give the new layer another name",
            )
        names[id(new)] = new.name
    return names


def _rebuilt(model: keras.Model, names: Mapping[int, str], chains: Chains) -> keras.Model:
    """A copy of a network in which layers are replaced by chains of layers."""
    copies = _Copies(names)

    def visit(call: Call, inputs: list[KerasTensor]) -> list[KerasTensor]:
        chain = chains.get(id(call.operation), (call.operation,))
        if not chain:
            _only(call.node.outputs, "leaves", call)
            return _only(inputs, "enters", call)
        values = inputs
        for does, layer in zip(("enters", "leaves"), chain, strict=False):
            # What stays or replaces is called as before, what is inserted with one value.
            if layer is call.operation or len(chain) == 1:
                values = copies.leaving(layer, values, call)
            else:
                values = copies.leaving(layer, _only(values, does, call))
        return values

    inputs = [
        keras.Input(batch_shape=layer.batch_shape, dtype=layer.dtype, name=layer.name)
        for layer in _inputs(model)
    ]
    outputs = walk(model, inputs, visit)
    return keras.Model(inputs_like(model, inputs), outputs_like(model, outputs), name=model.name)


def _only(values: Sequence[Any], does: str, call: Call) -> list[Any]:
    if len(values) != 1:
        raise InputError(
            f"what {does} layer {call.operation.name!r} is not one value",
            received=f"{len(values)} of shapes {_shapes(values)}",
            allowed="layers are deleted, and others inserted, where one value passes",
            remedy="name a layer beside it, or replace it",
        )
    return list(values)


@dataclass(frozen=True, eq=False)
class _Copies:
    """Copies of layers, each created when it is first called.

    Attributes:
        names: Names of the layers, by their Python identity.
        made: The copies, likewise.
    """

    names: Mapping[int, str]
    made: dict[int, Any] = field(default_factory=dict)

    def leaving(
        self, layer: Any, values: list[KerasTensor], call: Call | None = None
    ) -> list[KerasTensor]:
        """What leaves the copy of a layer.

        Args:
            layer: The layer to copy, its weights included.
            values: Input tensors.
            call: The call to repeat with these inputs; None to call the copy with them only.

        Raises:
            InputError: The layer does not accept these inputs.
        """
        new = id(layer) not in self.made
        if new:
            self.made[id(layer)] = self._copy(layer)
        copy = self.made[id(layer)]
        try:
            leaving = call.call_with(copy, values) if call else copy(unwrap_single(values))
        except (ValueError, TypeError) as error:
            raise self._unfit(layer, values, call) from error
        if new and isinstance(layer, keras.Layer) and layer.built:
            if _shapes(copy.weights) != _shapes(layer.weights):
                raise self._unfit(layer, values, call)
            copy_weights(layer, copy)
        return list(leaving) if isinstance(leaving, list | tuple) else [leaving]

    def _copy(self, layer: Any) -> Any:
        if not isinstance(layer, keras.Layer):
            return layer
        return type(layer).from_config({**layer.get_config(), "name": self.names[id(layer)]})

    def _unfit(self, layer: Any, values: list[KerasTensor], call: Call | None) -> InputError:
        own = call is not None and call.operation is layer
        return InputError(
            f"layer {self.names[id(layer)]!r} cannot take what enters it after the change",
            received=_shapes(values),
            allowed=_shapes(call.node.arguments.keras_tensors) if call and own else None,
            remedy="replace or delete that layer as well, or choose another one to change",
        )


def _shapes(values: Sequence[Any]) -> str:
    return " and ".join(str(tuple(value.shape)) for value in values)


# --- deleting channels ---------------------------------------------------------------------


def _thinned(network: keras.Model, removed: Mapping[str, Sequence[int]]) -> keras.Model:
    """A network without channels of the named layers and all channels coupled with them."""
    ends = {*(tensor.name for tensor in network.inputs), *network.output_names}
    prune_io = tuple(name for name in removed if name in ends)
    chosen = plan_from_channels(trace(network, prune_io), removed, prune_io)
    if chosen.approximate:
        warnings.warn(
            f"deleting channels of {', '.join(removed)} is an approximation: "
            f"{'; '.join(chosen.approximate)}",
            stacklevel=3,
        )
    return thin(network, chosen)
