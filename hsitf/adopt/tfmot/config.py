"""Configurations of networks that tensorflow-model-optimization wrapped, as plain JSON.

A wrapper stands around a layer in the configuration, which reads without the library: the layer
inside is taken out, and what named the wrapper then names the layer.
"""

from __future__ import annotations

from typing import Any

from hsitf.adopt.keras_config import configured_objects
from hsitf.errors import InputError

PRUNING = ("PruneLowMagnitude",)
CLUSTERING = ("ClusterWeights", "ClusterWeightsRNN", "ClusterWeightsBidirectional")
QUANTIZATION = ("QuantizeWrapper", "QuantizeWrapperV2")
# Stands between two layers and quantizes what passes; it holds no layer.
QUANTIZE_LAYER = "QuantizeLayer"
ANNOTATION = "QuantizeAnnotate"
_WRAPPERS = (*PRUNING, *CLUSTERING, *QUANTIZATION, ANNOTATION)

# Stand in for an activation inside a quantized layer.
_AWARE, _NO_OPERATION = "QuantizeAwareActivation", "NoOpActivation"
# How a wrapper treats its layer: schedules, configurations of quantization, and quantizers.
_SETTINGS = frozenset(
    {"ConstantSparsity", "PolynomialDecay", "OutputOnlyConfig", "FixedQuantizeConfig"}
    | {"NoOpQuantizeConfig", "Default8BitQuantizeConfig", "Default8BitQuantizeConfigRNN"}
    | {"Default8BitActivationQuantizeConfig", "Default8BitConvQuantizeConfig"}
    | {"Default8BitConvTransposeQuantizeConfig", "Default8BitOutputQuantizeConfig"}
    | {"LastValueQuantizer", "MovingAverageQuantizer", "AllValuesQuantizer", "FixedQuantizer"}
    | {"NoQuantizer"}
)
_PACKAGE = "tensorflow_model_optimization"
# Records of how layers were built, from which Keras would build them twice.
_BUILT = ("build_config", "compile_config")


def needs_tf_keras(config: dict[str, Any]) -> bool:
    """Whether Keras 3 cannot read a network that tf-keras can.

    Args:
        config: Configuration of the network, as its file has it.

    Returns:
        True where tensorflow-model-optimization wrapped a layer, and where tf-keras wrote an
        archive, whose modules Keras 3 does not have.
    """
    if str(config.get("module", "")).partition(".")[0] == "tf_keras":
        return True
    return any(
        _kind(one) in (*_WRAPPERS, QUANTIZE_LAYER) for one in configured_objects(config, _BUILT)
    )


def count(config: dict[str, Any], kinds: tuple[str, ...]) -> int:
    """Number of objects of these types in a configuration."""
    return sum(_kind(one) in kinds for one in configured_objects(config, _BUILT))


def check_settings(config: dict[str, Any]) -> None:
    """Refuses wrappers whose settings are not the library's own.

    Raises:
        InputError: A setting is a class of the file's author, or the network was annotated for
            quantization and not quantized.
    """
    for one in configured_objects(config, _BUILT):
        kind = _kind(one)
        if kind == ANNOTATION:
            raise InputError(
                "the layers are annotated for quantization, but nothing was quantized yet",
                received=kind,
                remedy="call tfmot.quantization.keras.quantize_apply and train, or save the "
                "network without annotations",
            )
        inside = one.get("config")
        if kind not in (*_WRAPPERS, QUANTIZE_LAYER) or not isinstance(inside, dict):
            continue
        settings = {key: value for key, value in inside.items() if key != "layer"}
        for setting in configured_objects(settings, _BUILT):
            name = _kind(setting)
            module = str(setting.get("module") or _PACKAGE)
            if name not in _SETTINGS or module.partition(".")[0] != _PACKAGE:
                raise InputError(
                    f"layer {inside.get('name')!r} is wrapped with settings of its author's own",
                    received=name,
                    allowed="those that tensorflow-model-optimization brings",
                    remedy="save the network without its wrappers: copy the weights of the layers "
                    "inside to the plain network, and save that",
                )


def without_build_records(value: Any) -> Any:
    """A configuration without the records of how its layers were built and trained."""
    if isinstance(value, dict):
        return {key: without_build_records(one) for key, one in value.items() if key not in _BUILT}
    if isinstance(value, list | tuple):
        return [without_build_records(one) for one in value]
    return value


def without_wrappers(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the network inside the wrappers.

    Args:
        config: Configuration of a functional or sequential network.

    Returns:
        Another one, in which layers stand for their wrappers, activations for what quantizes
        them, and quantizers between layers are left out.
    """
    plain: dict[str, Any] = _plain(without_build_records(config))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if _kind(value) == _AWARE:
        return _plain(value["config"]["activation"])
    if _kind(value) == _NO_OPERATION:
        return "linear"
    module = value.get("module")
    if isinstance(module, str) and module.partition(".")[0] == "tf_keras":
        value = {**value, "module": "keras"}
    if isinstance(value.get("layers"), list):
        value = _unwrapped_network(value)
    return {key: _plain(one) for key, one in value.items()}


def _unwrapped_network(network: dict[str, Any]) -> dict[str, Any]:
    """The inner configuration of a network, with its layers unwrapped one level."""
    names: dict[str, str] = {}
    sources: dict[str, Any] = {}
    layers = []
    for layer in network["layers"]:
        kind, inside = _kind(layer), layer.get("config", {})
        if kind == QUANTIZE_LAYER:
            sources[str(layer.get("name"))] = layer.get("inbound_nodes")
            continue
        if kind in _WRAPPERS:
            inner = dict(inside["layer"])
            name = inner["config"]["name"]
            names[str(layer.get("name") or inside.get("name"))] = name
            inner["name"] = name
            if "inbound_nodes" in layer:
                inner["inbound_nodes"] = layer["inbound_nodes"]
            layer = inner
        layers.append(layer)
    links = {key: network[key] for key in ("input_layers", "output_layers") if key in network}
    return {
        **network,
        **{key: _relinked(value, names, sources) for key, value in links.items()},
        "layers": [
            {**layer, "inbound_nodes": _relinked(layer["inbound_nodes"], names, sources)}
            if "inbound_nodes" in layer
            else layer
            for layer in layers
        ],
    }


def _relinked(value: Any, names: dict[str, str], sources: dict[str, Any]) -> Any:
    """References to layers as `[name, node, output, ...]`, with the names of what is left.

    Args:
        value: References in lists of any depth.
        names: Names of the layers inside, by those of their wrappers.
        sources: References to what enters quantizers between layers, by their names.
    """
    if isinstance(value, dict):
        return {key: _relinked(one, names, sources) for key, one in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
        name, node, output, *rest = value
        rest = [_relinked(one, names, sources) for one in rest]
        if name in sources:
            source = _first_reference(sources[name], node)
            return [*_relinked(source[:3], names, sources), *rest]
        return [names.get(name, name), node, output, *rest]
    return [_relinked(one, names, sources) for one in value]


def _first_reference(nodes: Any, node: int) -> list[Any]:
    """What enters a layer at one of its calls, as `[name, node, output, ...]`."""
    found = nodes[node]
    while isinstance(found[0], list):
        found = found[0]
    reference: list[Any] = found
    return reference


def _kind(value: dict[str, Any]) -> str:
    return str(value.get("class_name", ""))
