"""What is done with random networks, each result against an independent check."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from masked_reference import masked_outputs
from random_models import RandomNetwork

from hsitf import inspection
from hsitf.arithmetic import FLOAT, INTEGER
from hsitf.cost import cost
from hsitf.errors import HsitfError
from hsitf.export.calibration import Calibration
from hsitf.export.tflite import CONVERTERS
from hsitf.export.variants import VARIANTS
from hsitf.export.verification import check_integer
from hsitf.lower import lower, to_fully_convolutional
from hsitf.prune import PruningConfig, estimate_cost, plan, thin, trace
from hsitf.prune.dead import dead_channels
from hsitf.runtimes import LiteRT, predict

# Largest difference of an output, over the largest output (at least 1).
EXACT = 1e-4
# Largest root mean square error of an int8 file's outputs over their standard deviation, or over a
# quarter of their size where that is more: what 8 bits make of a chain of a dozen random layers.
INT8_ERROR = 0.35
# The same behind a layer normalization: its variances, and with them its factors, have 256 steps.
INT8_ERROR_NORMALIZED = 0.8
SAMPLES, CALIBRATION, TILE = 3, 48, 3


class NetworkFaultError(Exception):
    """What must not happen: a wrong number, or an error that is not for the user."""


@dataclass(frozen=True)
class Outcome:
    """What one check of one network found.

    Attributes:
        check: thinned, lowered, tiled or int8.
        refused: hsitf's message where it refuses the network, without names; empty else.
        fault: What is wrong; empty where nothing is.
        note: A measurement.
    """

    check: str
    refused: str = ""
    fault: str = ""
    note: float = 0.0


def check_network(network: RandomNetwork, int8: bool) -> list[Outcome]:
    """Thins, lowers and tiles a network, and makes an int8 file of it where asked."""
    checks = {"thinned": _thinned, "lowered": _lowered, "tiled": _tiled}
    if int8:
        checks["int8"] = _int8
    rng = np.random.default_rng([network.seed, network.number, 1])
    found = []
    for name, check in checks.items():
        if name in ("tiled", "int8") and not _is_patch_network(network.model):
            continue
        try:
            found.append(Outcome(name, note=check(network.model, rng)))
        except HsitfError as error:
            found.append(_refusal(name, error))
        except NetworkFaultError as error:
            found.append(Outcome(name, fault=str(error)))
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            found.append(Outcome(name, fault=f"{type(error).__name__}: {text}"))
    return found


def _refusal(name: str, error: HsitfError) -> Outcome:
    """A refusal is fine where it says which layer, and what to do."""
    named = "'" in error.what or "no efficient tile form" in error.what
    if not error.remedy or not (named or error.received):
        return Outcome(name, fault=f"refused without a layer or a remedy: {error}")
    words = [word for at, word in enumerate(error.what.split("'")) if at % 2 == 0]
    return Outcome(name, refused="'…'".join(words).split("ends for a pixel")[0])


def _is_patch_network(model: keras.Model) -> bool:
    return len(model.inputs) == len(model.outputs) == 1


def _inputs(model: keras.Model, rng: np.random.Generator, count: int) -> list[Any]:
    return [
        rng.normal(size=(count, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs
    ]


def _outputs(model: keras.Model, given: list[Any]) -> list[Any]:
    leaving = model(given[0] if len(given) == 1 else given)
    return [np.asarray(value) for value in keras.tree.flatten(leaving)]


def _compare(what: str, expected: list[Any], received: list[Any], bound: float = EXACT) -> float:
    worst = 0.0
    for one, other in zip(expected, received, strict=True):
        if one.shape != other.shape:
            raise NetworkFaultError(f"{what}: {other.shape} for {one.shape}")
        if not np.isfinite(one).all():
            raise NetworkFaultError("the random network itself overflows")
        error = float(np.abs(one - other).max()) / max(1.0, float(np.abs(one).max()))
        # Written so that NaN fails too.
        if not error <= bound:
            raise NetworkFaultError(f"{what}: an output is {error:.1e} off")
        worst = max(worst, error)
    return worst


# --- thinning -------------------------------------------------------------------------------


def _thinned(model: keras.Model, rng: np.random.Generator) -> float:
    if rng.random() < 0.1:
        chosen = dead_channels(model)
    else:
        io = ("patch",) if rng.random() < 0.1 and len(model.inputs) == 1 else ()
        config = PruningConfig(
            ratio=float(rng.uniform(0.1, 0.9)),
            global_pruning=bool(rng.random() < 0.5),
            round_to=int(rng.integers(1, 3)),
            exact=bool(rng.random() < 0.6),
            prune_io=io,
        )
        chosen = plan(model, ("l1", "l2", "random", "fpgm")[int(rng.integers(4))], config)
    try:
        smaller = thin(model, chosen)
    except HsitfError as error:
        raise NetworkFaultError(f"a plan that cannot be carried out: {error}") from error
    traced = trace(model, chosen.prune_io)
    if (told := estimate_cost(traced, chosen)) != (real := cost(smaller)):
        raise NetworkFaultError(f"costs {real}, estimated {told}")
    given = _inputs(model, rng, SAMPLES)
    left = [array[..., list(chosen.kept.get("patch", range(array.shape[-1])))] for array in given]
    if len(given) > 1:
        left = given
    received = _outputs(smaller, left)
    if chosen.approximate:
        if not all(np.isfinite(value).all() for value in received):
            raise NetworkFaultError("an approximately thinned network overflows")
        return 0.0
    try:
        expected = masked_outputs(model, chosen.kept, chosen.widths, given)
    except AssertionError as error:
        raise NetworkFaultError(str(error)) from error
    return _compare("thinned", expected, received)


# --- lowering -------------------------------------------------------------------------------


def _lowered(model: keras.Model, rng: np.random.Generator) -> float:
    arithmetic, batch = (INTEGER if rng.random() < 0.5 else FLOAT), int(rng.integers(1, 3))
    lowered = lower(model, batch, arithmetic)
    shapes = [value.shape for operation in lowered.operations for value in _tensors(operation)]
    if any(None in shape or len(shape) > 4 for shape in shapes):
        raise NetworkFaultError(f"lowered: {max(shapes, key=len)} is not of four fixed axes")
    given = _inputs(model, rng, batch)
    return _compare("lowered", _outputs(model, given), _outputs(lowered, given))


def _tensors(operation: Any) -> list[Any]:
    return [tensor for node in operation._inbound_nodes for tensor in node.outputs]


def _tiled(model: keras.Model, rng: np.random.Generator) -> float:
    tiled = to_fully_convolutional(model, TILE)
    rows, cols, bands = model.inputs[0].shape[1:]
    tile = rng.normal(size=(1, TILE + rows - 1, TILE + cols - 1, bands)).astype(np.float32)
    windows = [
        tile[0, row : row + rows, col : col + cols] for row in range(TILE) for col in range(TILE)
    ]
    (expected,), (received,) = _outputs(model, [np.stack(windows)]), _outputs(tiled, [tile])
    return _compare("tiled", [expected.reshape(1, TILE, TILE, -1)], [received])


# --- integers -------------------------------------------------------------------------------


def _int8(model: keras.Model, rng: np.random.Generator) -> float:
    (patches,) = _inputs(model, rng, CALIBRATION)
    lowered = lower(model, 1, INTEGER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.tflite"
        CONVERTERS["int8"](lowered, Calibration(patches), path)
        contents = inspection.tflite(path)
        check_integer(VARIANTS["int8"], contents, "int8")
        kinds = {
            one.dtype for node in inspection.nodes(path) for one in (*node.inputs, *node.outputs)
        }
        if "float32" in kinds:
            raise NetworkFaultError("int8: numbers are moved as floats")
        received = predict(LiteRT(path, 1), patches)
    (expected,) = _outputs(model, [patches])
    spread = float((expected - expected.mean(axis=0)).std())
    size = 0.25 * float(np.sqrt((expected**2).mean()))
    error = float(np.sqrt(((received - expected) ** 2).mean())) / max(spread, size, 1e-3)
    normalized = any("LayerNormalization" in type(one).__name__ for one in model.layers)
    if not error <= (INT8_ERROR_NORMALIZED if normalized else INT8_ERROR):
        raise NetworkFaultError(f"int8: an error of {error:.2f} of the outputs' size")
    return error
