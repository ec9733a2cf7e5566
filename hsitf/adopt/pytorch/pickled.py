"""Arrays in files of `torch.save`, which are pickles: nothing but arrays is ever built of them.

What a pickle asks for is looked at before PyTorch opens the file, and PyTorch then loads it with
`weights_only=True`, which builds arrays and plain containers alone.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsitf.adopt.pytorch.safetensors_file import MAX_BYTES, check_size
from hsitf.array_files import DAMAGE
from hsitf.arrays import Float32Array
from hsitf.errors import DataError, InputError

EXTRA = "pip install 'hsitf[torch]', or save the weights as .safetensors"
# The first version whose `weights_only=True` is known to hold.
_SAFE_VERSION = (2, 6)
# What weights are pickled with.
_PACKAGES = ("torch", "numpy", "collections", "_codecs")
_MODEL = "torch.nn.modules."
# Bytes of the pickle without its arrays.
_MAX_PICKLE = 64 * 2**20
# Pickles in front of the weights in files of PyTorch before 1.6, and the weights' own.
_LEGACY_PICKLES = 4
# Keys under which training scripts save the weights.
_KEYS = ("state_dict", "model_state_dict", "model", "net", "network", "weights")
_SAVE = "torch.save(model.state_dict(), 'weights.pth')"


def read_pickle(path: Path) -> dict[str, Float32Array]:
    """Reads the arrays of a state_dict, in its order.

    Raises:
        InputError: The file would run code, is no state_dict, or PyTorch is not installed.
        DataError: The file is damaged.
    """
    check_size(path)
    asked = requested_names(path)
    _check_names(path, asked)
    content = _load(path)
    return arrays_of(_state_dict(content, path))


def requested_names(path: Path) -> list[str]:
    """Full names of what a file would import when it is opened, without opening it.

    Raises:
        InputError: It is an archive of something else.
        DataError: It is no pickle.
    """
    try:
        if zipfile.is_zipfile(path):
            return _names_in(io.BytesIO(_archived_pickle(path)), 1)
        with path.open("rb") as stream:
            return _names_in(stream, _LEGACY_PICKLES)
    except InputError:
        raise
    except DAMAGE as error:
        raise DataError(
            f"{path} is no checkpoint of PyTorch, or is damaged",
            received=str(error) or type(error).__name__,
            remedy=f"save the weights again, with {_SAVE}",
        ) from error


def _archived_pickle(path: Path) -> bytes:
    """The pickle in an archive, whose arrays are files of their own beside it."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(
            "/code/" in one.filename or one.filename.endswith("constants.pkl") for one in entries
        ):
            raise InputError(
                f"{path} is an archive of TorchScript, which is a program",
                received="a file of torch.jit.save",
                allowed="the weights alone",
                remedy=f"load it with torch.jit.load and save its weights: {_SAVE}",
            )
        found = [one for one in entries if one.filename.endswith("data.pkl")]
        if len(found) != 1:
            raise InputError(
                f"{path} is an archive of something else",
                received=", ".join(one.filename for one in entries[:3]),
                allowed="a file of torch.save",
                remedy=f"save the weights with {_SAVE}",
            )
        size = sum(one.file_size for one in entries)
        if size > MAX_BYTES or found[0].file_size > _MAX_PICKLE:
            raise InputError(
                f"{path} is too large for the weights of a network",
                received=f"{size:,} bytes once it is unpacked",
                allowed=f"{MAX_BYTES:,} bytes, {_MAX_PICKLE:,} of them without the arrays",
                remedy=f"save the weights alone, with {_SAVE}",
            )
        return archive.read(found[0])


def _names_in(stream: Any, pickles: int) -> list[str]:
    """What the next pickles of a stream would import.

    Raises:
        ValueError: It holds none.
    """
    found: list[str] = []
    for number in range(pickles):
        try:
            found += _names_in_pickle(stream)
        except ValueError:
            # What follows the first need not be pickles.
            if not number:
                raise
            break
    return list(dict.fromkeys(found))


def _names_in_pickle(stream: Any) -> list[str]:
    """What a pickle would import, by the texts in front where they are not part of the step."""
    found: list[str] = []
    memo: dict[int, str] = {}
    texts, last = [""], ""
    for opcode, given, _ in pickletools.genops(stream):
        argument: Any = given
        if opcode.name in ("GLOBAL", "INST"):
            found.append(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":
            found.append(".".join(texts[-2:]))
        elif opcode.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            memo[len(memo) if argument is None else int(argument)] = last
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            texts.append(memo.get(int(argument), ""))
        elif isinstance(argument, str):
            texts.append(last := argument)
    return found


def _check_names(path: Path, asked: list[str]) -> None:
    """Refuses what asks for more than arrays.

    Raises:
        InputError: It does.
    """
    classes = [name for name in asked if name.partition(".")[0] not in _PACKAGES]
    if any(name.startswith(_MODEL) for name in asked):
        raise InputError(
            f"{path} holds a whole pickled model, whose code would be run to open it",
            received=", ".join(
                [*classes, *(name for name in asked if name.startswith(_MODEL))][:3]
            ),
            allowed="the weights alone",
            remedy=f"load it where its class is defined, and save its weights: {_SAVE}",
        )
    if classes:
        raise _runs_code(path, ", ".join(classes[:3]))


def _runs_code(path: Path, asked: str) -> InputError:
    return InputError(
        f"{path} would run code when it is opened, so nothing of it was loaded",
        received=f"a pickle that asks for {asked}",
        allowed="arrays in a state_dict",
        remedy=f"save the weights alone, with {_SAVE}",
    )


def _load(path: Path) -> Any:
    try:
        import torch
    except ImportError as error:
        raise InputError(f"{path} cannot be read without PyTorch", remedy=EXTRA) from error
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if version < _SAFE_VERSION:
        raise InputError(
            "this version of PyTorch cannot open files of others safely",
            received=torch.__version__,
            allowed=f"{'.'.join(map(str, _SAFE_VERSION))} or newer",
            remedy=EXTRA,
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        raise _runs_code(path, named[1] if named else "what is no array") from error
    # What PyTorch raises at a damaged file has no common base below Exception.
    except Exception as error:
        raise DataError(
            f"{path} is no checkpoint of PyTorch, or is damaged",
            received=str(error).splitlines()[0] if str(error) else type(error).__name__,
            remedy=f"save the weights again, with {_SAVE}",
        ) from error


def _state_dict(content: Any, path: Path) -> Mapping[str, Any]:
    """The state_dict that a file holds, by itself or under one of the usual keys.

    Raises:
        InputError: There is none, or more than one.
    """
    if _holds_arrays(content):
        return content  # type: ignore[no-any-return]
    nested = content if isinstance(content, Mapping) else {}
    named = [nested[key] for key in _KEYS if _holds_arrays(nested.get(key))]
    others = [value for value in nested.values() if _holds_arrays(value)]
    found = named or others
    if not found or (not named and len(others) > 1):
        kind = type(content).__name__
        keys = ", ".join(map(str, list(nested)[:8]))
        raise InputError(
            f"{path} holds no state_dict",
            received=f"a {kind} with {keys}" if keys else f"a {kind}",
            allowed=f"arrays by their names, by themselves or under {', '.join(_KEYS)}",
            remedy=f"save the weights with {_SAVE}",
        )
    return found[0]  # type: ignore[no-any-return]


def _holds_arrays(content: Any) -> bool:
    """Whether this is a state_dict: arrays by names, and nothing else."""
    import torch

    if not isinstance(content, Mapping) or not content:
        return False
    return all(isinstance(key, str) for key in content) and all(
        isinstance(value, torch.Tensor) for value in content.values()
    )


def arrays_of(state_dict: Mapping[str, Any]) -> dict[str, Float32Array]:
    """The arrays of a state_dict as float32, in its order.

    Raises:
        InputError: One is not a plain array, or they are too many numbers.
    """
    import torch

    size = 4 * sum(int(tensor.numel()) for tensor in state_dict.values())
    if size > MAX_BYTES:
        # An array can be larger than what is stored of it.
        raise InputError(
            "these are more numbers than the weights of a network have",
            received=f"{size:,} bytes",
            allowed=f"{MAX_BYTES:,} bytes at most",
        )
    found = {}
    for name, tensor in state_dict.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
            raise InputError(
                "the checkpoint holds an array that is not plain",
                received=f"{name}: sparse, quantized or complex",
                allowed="dense arrays of real numbers",
                remedy="save the network as it was before it was quantized or made sparse",
            )
        found[name] = tensor.detach().to("cpu", torch.float32).numpy()
    return found
