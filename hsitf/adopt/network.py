"""A network trained elsewhere, read, and brought to the shapes of this package."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from hsitf import zoo
from hsitf.adopt.assembly import arranged, assemble, check_walkable, choose_output
from hsitf.adopt.formats import format_of_file
from hsitf.adopt.inputs import InputLayout, input_layouts
from hsitf.adopt.keras_file import row_missing
from hsitf.adopt.outputs import class_order, select_outputs
from hsitf.adopt.preprocessing.options import count_components
from hsitf.adopt.request import AdoptionRequest
from hsitf.adopt.source import ReadingContext, SourceNetwork
from hsitf.arrays import Float32Array
from hsitf.errors import InputError, VerificationError
from hsitf.graph import operations
from hsitf.operators import find
from hsitf.scenes.scene import Scene

# Largest error of rebuilt outputs, as a share of the largest output.
TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class RebuiltNetwork:
    """A network in the shapes of this package, not yet with one output a class.

    Attributes:
        source: The network as its author shaped it.
        layouts: Layouts of its inputs.
        model: `(batch, patch, patch, components)` -> `(batch, outputs)`, logits.
        order: Class from 1 of each output; 0 for none.
        activation: What stood behind the logits and was left out; empty for nothing.
        output: Name of the output to take; empty for the one that fits.
    """

    source: SourceNetwork
    layouts: list[InputLayout]
    model: keras.Model
    order: tuple[int, ...]
    activation: str
    output: str = ""

    @property
    def patch(self) -> int:
        """Side of the patch in pixels."""
        return int(self.model.input_shape[1])

    def with_classes(self) -> keras.Model:
        """The network with one output for each class of the scene, in its order."""
        return select_outputs(self.model, self.order)

    def with_layouts(self, layouts: list[InputLayout]) -> keras.Model:
        """The same network with its inputs laid out otherwise."""
        classes, components = max(self.order), int(self.model.input_shape[-1])
        output = choose_output(self.source.model, classes, self.output)
        model, _ = assemble(self.source.model, layouts, components, output, self.model.name)
        return model


def read_network(request: AdoptionRequest, scene: Scene) -> SourceNetwork:
    """Reads a network as its author shaped it; its graph can be walked, its layers are known.

    Raises:
        InputError: It is no network that can be adopted; the message says what to do.
        DataError: Its file is damaged.
    """
    context = ReadingContext(
        count_components(request.preprocessing, scene),
        scene.classes,
        request.network,
        request.patch,
    )
    if isinstance(request.source, Path):
        source = format_of_file(request.source).read(request.source, context)
    else:
        source = _in_memory(request.source, context)
    if request.network and not source.network:
        raise InputError(
            "the file holds a network of its own, not weights of one of the zoo",
            received=f"--model {request.network}",
            remedy="leave --model out, and name the network with --name",
        )
    model = check_walkable(source.model)
    for operation in operations(model):
        if find(operation) is None:
            raise row_missing(str(operation.name), type(operation).__name__)
    return replace(source, model=model)


def _in_memory(model: object, context: ReadingContext) -> SourceNetwork:
    """A model in memory: of Keras 3, Keras 2 or PyTorch."""
    if isinstance(model, keras.Model):
        return SourceNetwork(model, "Keras 3")
    packages = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if "tf_keras" in packages:
        from hsitf.adopt import tfmot

        return tfmot.from_tf_keras(model)
    if "torch" in packages:
        from hsitf.adopt import pytorch

        return pytorch.from_module(model, context)
    raise InputError(
        "this is no network that can be adopted",
        received=type(model).__name__,
        allowed="the path of a file, a model of Keras, or a torch.nn.Module",
    )


def network_name(request: AdoptionRequest, source: SourceNetwork) -> str:
    """The name of the network: as the user says, that of the zoo, or that of the file or model.

    Raises:
        InputError: It cannot name a folder, or is that of another network of the zoo.
    """
    given = request.source
    own = given.stem if isinstance(given, Path) else str(source.model.name)
    name = request.name or source.network or re.sub(r"[^A-Za-z0-9_-]+", "-", own)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise InputError(
            "a network cannot have this name",
            received=repr(name),
            allowed="letters, digits, hyphens and underscores, a letter or digit first",
            remedy="give it another with --name",
        )
    if zoo.facts(name) is not None and source.network != name:
        raise InputError(
            f"there is a network {name!r} in the zoo, and this is another one",
            remedy="give it a name of its own with --name",
        )
    return name


def rebuild(
    source: SourceNetwork, request: AdoptionRequest, scene: Scene, name: str
) -> RebuiltNetwork:
    """Builds a network on patches, with logits as its output.

    Raises:
        InputError: Its inputs or outputs do not fit the scene.
    """
    components = count_components(request.preprocessing, scene)
    layouts = input_layouts(source.model, components, request.input_axes)
    side = max(layout.patch for layout in layouts)
    if request.patch not in (None, side):
        raise InputError(
            "the network takes patches of another size",
            received=f"--patch {request.patch}",
            allowed=side,
            remedy="leave --patch out",
        )
    output = choose_output(source.model, scene.classes, request.output)
    model, head = assemble(source.model, layouts, components, output, name)
    order = class_order(
        int(model.output_shape[-1]), scene.class_names, request.class_order, request.background
    )
    return RebuiltNetwork(source, layouts, model, order, head.activation, request.output)


def compare(network: RebuiltNetwork, patches: Float32Array) -> float | None:
    """Compares a rebuilt network with the original, and that with the framework it comes from.

    Args:
        network: The network.
        patches: (n, patch, patch, components) float32, prepared.

    Returns:
        Largest difference of an output from what the framework that the network comes from
        computes; None where that cannot be computed here.

    Raises:
        VerificationError: They differ.
    """
    source, count = network.source, len(patches)
    received = np.asarray(network.model(patches, training=False))
    entering = _entering(network, patches)
    outputs = source.model(entering if len(entering) > 1 else entering[0], training=False)
    several = outputs if isinstance(outputs, list | tuple) else [outputs]
    original = [np.asarray(one).reshape(count, -1) for one in several]
    error = min(_relative_difference(network.activation, received, one) for one in original)
    if not error <= TOLERANCE:
        raise VerificationError(
            "the network computes something else after it was rebuilt on patches",
            received=f"outputs that differ by {error:.1e} of the largest",
            allowed=f"{TOLERANCE:g}",
            remedy="this is a fault of hsitf: please report it with the network",
        )
    if source.reference is None:
        return None
    theirs = np.asarray(source.reference(entering)).reshape(count, -1)
    alike = [one for one in original if one.shape == theirs.shape]
    foreign = min((float(np.abs(theirs - one).max()) for one in alike), default=float("inf"))
    if not foreign <= TOLERANCE * max(1.0, float(np.abs(theirs).max())):
        raise VerificationError(
            f"the network computes something else in Keras than in {source.framework}",
            received=f"outputs that differ by {foreign:.1e}",
            allowed=f"{TOLERANCE:g} of the largest output",
            remedy="name the right network with --model, or report it with the network",
        )
    return foreign


def _entering(network: RebuiltNetwork, patches: Float32Array) -> list[Float32Array]:
    """The inputs of the original network, by the layers that arrange them in the rebuilt one."""
    x = keras.Input(patches.shape[1:])
    inputs = keras.Model(x, arranged(x, network.layouts, network.source.model))(patches)
    return [np.asarray(one) for one in (inputs if isinstance(inputs, list) else [inputs])]


def _relative_difference(activation: str, logits: Float32Array, outputs: Float32Array) -> float:
    """Largest difference, as a share of the largest output, once logits are squashed as before."""
    if logits.shape != outputs.shape:
        return float("inf")
    if activation:
        logits = np.asarray(keras.activations.get(activation)(logits))
    largest = max(float(np.abs(outputs).max()), float(np.finfo(np.float32).tiny))
    return float(np.abs(logits - outputs).max()) / largest
