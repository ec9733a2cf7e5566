"""Surgery on a network: layers and channels are deleted, inserted and replaced by name.

The verbs are keras-surgeon's, for whose users `docs/keras-surgeon.md` is written. What they do to
channels is a `Plan` and `thin`; what they do to layers is one walk through the network, in which
each layer gives its place to a chain of layers: none, another one, or itself and a new one.
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
from hsitf.graph import Call, alone, walk
from hsitf.prune.plans import named
from hsitf.prune.thinning import thin
from hsitf.prune.tracing import trace

Where = Literal["before", "after"]
# Layers in whose place a chain of layers stands, by the Python identity of the layer.
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
    """A new network without some channels of a layer, and without whatever lives with them.

    Where outputs of layers are added or multiplied, their channels live together and go
    together; where they are concatenated or flattened, the layers behind lose the matching
    weights. The result equals the original with those channels zeroed wherever they are
    consumed.

    Args:
        model: A functional or sequential model, channels last, inputs of fixed shape.
        layer: One that makes channels (filters, units), or an input. Inputs and layers at the
            outputs lose channels only where they are named here themselves.
        channels: (n,) integers, places of the channels; negative ones count from the end.

    Raises:
        InputError: There is no such layer or channel, nothing would be left of a layer, the
            channels are tied to inputs or outputs, or a layer has no rule for pruning.

    Warns:
        UserWarning: A layer measures the channels by one another, such as layer normalization,
            so that the result only approximates the zeroed original.
    """
    return Surgeon(model).add_job("delete_channels", layer, channels=channels).operate()


def delete_layer(model: keras.Model, layer: str | keras.Layer) -> keras.Model:
    """A new network without a layer: what entered it goes where its output went.

    Args:
        model: A functional or sequential model.
        layer: One with a single input and a single output.

    Raises:
        InputError: There is no such layer, it has several inputs or outputs, or a layer behind
            it cannot take what it now gets.
    """
    return Surgeon(model).add_job("delete_layer", layer).operate()


def insert_layer(
    model: keras.Model, layer: str | keras.Layer, new_layer: keras.Layer, where: Where = "before"
) -> keras.Model:
    """A new network with a further layer before or after one that it has.

    Of a layer used at several places, each place gets the new one. Before a layer means on its
    own way: others that read the same value still read it unchanged.

    Args:
        model: A functional or sequential model.
        layer: One with a single input (before) or a single output (after).
        new_layer: What is inserted, with its weights where it has been built; it is copied.
        where: before or after.

    Raises:
        InputError: There is no such layer, it has several inputs or outputs, a layer behind it
            cannot take what it now gets, or the new layer's name is taken.
    """
    return Surgeon(model).add_job("insert_layer", layer, new_layer=new_layer, where=where).operate()


def replace_layer(
    model: keras.Model, layer: str | keras.Layer, new_layer: keras.Layer
) -> keras.Model:
    """A new network with another layer in the place of one, the weights of all others kept.

    Args:
        model: A functional or sequential model.
        layer: To be replaced, everywhere it is used.
        new_layer: What takes its place, with its weights where it has been built; it is copied.

    Raises:
        InputError: There is no such layer, the new one or a layer behind it cannot take what it
            now gets, or the new layer's name is taken.
    """
    return Surgeon(model).add_job("replace_layer", layer, new_layer=new_layer).operate()


@dataclass(frozen=True, eq=False)
class _Job:
    """One thing to be done.

    Attributes:
        kind: One of `JOBS`.
        layer: Name of the layer it is done to.
        channels: That go.
        new_layer: That comes.
        where: It comes, seen from the layer.
    """

    kind: str
    layer: str
    channels: tuple[int, ...]
    new_layer: Any
    where: Where

    def chain(self, layer: Any) -> tuple[Any, ...]:
        """What stands in the place of the layer afterwards, in the order of the forward pass."""
        both = (self.new_layer, layer) if self.where == "before" else (layer, self.new_layer)
        chains: dict[str, tuple[Any, ...]] = {
            "delete_layer": (),
            "replace_layer": (self.new_layer,),
            "insert_layer": both,
        }
        return chains.get(self.kind, (layer,))


class Surgeon:
    """Changes a network in several places at once.

    Layers are deleted, inserted and replaced first, all in one pass. Channels go from the network
    that this makes, with whatever lives with them there. The original is left untouched: the new
    network has layers of its own, which keep their names and weights, and is not compiled. Models
    inside the model come out flat, a number behind the names of layers that would otherwise be
    alike.

    Args:
        model: A functional or sequential model.
        copy: keras-surgeon's. None and True are the same here, since layers are always copied.

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
        where: Where = "before",
    ) -> Surgeon:
        """Adds a job, one a layer at most; nothing happens before `operate`.

        Args:
            job: delete_layer, insert_layer, replace_layer or delete_channels.
            layer: What it is done to, a layer of the network or its name.
            channels: For delete_channels, (n,) integers, negative ones count from the end.
            new_layer: For insert_layer and replace_layer.
            where: For insert_layer, before or after.

        Returns:
            Itself, so that jobs can be added in a row.

        Raises:
            InputError: Unknown job or layer, the layer has a job already, or the job is given
                too little or what it does not need.
        """
        _check_job(job, {"channels": channels, "new_layer": new_layer}, where)
        name = found(self._layers, layer)
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
        places = () if channels is None else _integers(name, channels)
        self._jobs[name] = _Job(job, name, places, new_layer, where)
        return self

    def operate(self) -> keras.Model:
        """Does all jobs.

        Returns:
            A new functional model.

        Raises:
            InputError: A job cannot be done; says which layer refuses, and why.
        """
        chains = {
            id(layer): self._jobs[name].chain(layer)
            for name, layer in self._layers.items()
            if name in self._jobs
        }
        network = _rebuilt(self._model, _names(self._layers, chains), chains)
        gone = {
            name: job.channels for name, job in self._jobs.items() if job.kind == "delete_channels"
        }
        return _thinned(network, gone) if gone else network


def _check_job(job: str, given: Mapping[str, Any], where: str) -> None:
    if job not in JOBS:
        raise unknown("job", job, JOBS)
    told = [name for name, value in given.items() if value is not None]
    if told != JOBS[job]:
        raise InputError(
            f"the job {job} is not told what it needs",
            received=", ".join(told) or "the layer alone",
            allowed=", ".join(JOBS[job]) or "the layer alone",
        )
    if where not in ("before", "after") or (where == "after" and job != "insert_layer"):
        raise InputError(
            f"the job {job} cannot be done {where} a layer", allowed="insert_layer before or after"
        )
    new_layer = given["new_layer"]
    if new_layer is not None and not isinstance(new_layer, keras.Layer):
        raise InputError(
            "the new layer is none",
            received=repr(new_layer),
            allowed="a Keras layer, such as keras.layers.ReLU()",
        )


def _integers(name: str, channels: ArrayLike) -> tuple[int, ...]:
    places = np.atleast_1d(np.asarray(channels))
    if places.ndim != 1 or (places.size and places.dtype.kind not in "iu"):
        raise InputError(
            f"the channels of layer {name!r} are named by their places",
            received=f"{places.dtype} of shape {places.shape}",
            allowed="a list of integers",
        )
    return tuple(int(place) for place in places)


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
    seen: set[int] = set()

    def visit(call: Call, entering: list[None]) -> list[None]:
        if id(call.operation) not in seen:
            seen.add(id(call.operation))
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


def found(known: Mapping[str, Any], layer: str | keras.Layer) -> str:
    """The name of a layer that is given by its name or as itself.

    Raises:
        InputError: It is none of those known.
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
    """A copy of a network in which chains stand in the place of layers."""
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
    return keras.Model(alone(inputs), alone(walk(model, inputs, visit)), name=model.name)


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
    """Copies of layers, each made when it is first called.

    Attributes:
        names: Of the layers, by their Python identity.
        made: The copies, likewise.
    """

    names: Mapping[int, str]
    made: dict[int, Any] = field(default_factory=dict)

    def leaving(
        self, layer: Any, values: list[KerasTensor], call: Call | None = None
    ) -> list[KerasTensor]:
        """What leaves the copy of a layer.

        Args:
            layer: To be copied, its weights included.
            values: That enter.
            call: To be repeated with these values; None to call the copy with them alone.

        Raises:
            InputError: The layer cannot take them.
        """
        new = id(layer) not in self.made
        if new:
            self.made[id(layer)] = self._copy(layer)
        copy = self.made[id(layer)]
        try:
            leaving = call.repeated(copy, values) if call else copy(alone(values))
        except (ValueError, TypeError) as error:
            raise self._unfit(layer, values, call) from error
        if new and isinstance(layer, keras.Layer) and layer.built:
            if _shapes(copy.weights) != _shapes(layer.weights):
                raise self._unfit(layer, values, call)
            copy.set_weights(layer.get_weights())
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


def _thinned(network: keras.Model, gone: Mapping[str, Sequence[int]]) -> keras.Model:
    """A network without channels of the named layers, and what lives with them."""
    ends = {*(tensor.name for tensor in network.inputs), *network.output_names}
    free = tuple(name for name in gone if name in ends)
    chosen = named(trace(network, free), gone, free)
    if chosen.approximate:
        warnings.warn(
            f"deleting channels of {', '.join(gone)} is an approximation: "
            f"{'; '.join(chosen.approximate)}",
            stacklevel=3,
        )
    return thin(network, chosen)
