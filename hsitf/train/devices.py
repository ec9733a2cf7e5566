"""Selection of the Keras backend and device, before anything heavy is imported.

Keras has one name for a device on every backend; the messages for what is missing are ours.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from hsitf.errors import InputError, unknown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What to install for each, CPU first.
BACKENDS = {
    "tensorflow": "pip install tensorflow",
    "jax": 'pip install jax, or "jax[cuda12]" for a GPU',
    "torch": "pip install torch",
}
DEVICES = ("auto", "cpu", "gpu")


def use_backend(backend: str | None, device: str = "auto") -> None:
    """Selects the Keras backend; None keeps Keras' own choice (KERAS_BACKEND, keras.json).

    The CPU is selected here by hiding the GPUs from packages that are imported later: no backend
    releases a GPU that it has found.

    Raises:
        InputError: There is no such backend or device, or it is not installed, or Keras runs
            already.
    """
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    if device == "cpu":
        os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1"}
        os.environ["JAX_PLATFORMS"] = "cpu"
    if backend is None:
        backend = os.environ.get("KERAS_BACKEND") or None
        if backend is None:
            return
    if backend not in BACKENDS:
        raise unknown("backend", backend, BACKENDS)
    if importlib.util.find_spec(backend) is None:
        there = [name for name in BACKENDS if importlib.util.find_spec(name) is not None]
        raise InputError(
            f"the backend {backend} is not installed",
            allowed=", ".join(there),
            remedy=BACKENDS[backend],
        )
    if "keras" in sys.modules and sys.modules["keras"].config.backend() != backend:
        raise InputError(
            "Keras runs already on another backend",
            received=backend,
            allowed=sys.modules["keras"].config.backend(),
            remedy="choose the backend before Keras is imported",
        )
    os.environ["KERAS_BACKEND"] = backend


def select_device(device: str) -> None:
    """Sees that Keras computes on this kind of device, and on all of them where it can.

    Several devices share each batch (data parallelism) where the backend supports it. Call
    `use_backend` first.

    Raises:
        InputError: There is no device of this kind on this machine.
    """
    import keras

    if device == "auto" and keras.config.backend() != "jax":
        return
    there = {kind: list_devices(kind) for kind in ("cpu", "gpu")}
    if device == "auto":
        device = "gpu" if there["gpu"] else "cpu"
    if not there[device]:
        raise InputError(
            f"{keras.config.backend()} finds no {device} on this machine",
            allowed=", ".join(name for names in there.values() for name in names) or "none at all",
            remedy="leave out --device, or install the backend's build for that device",
        )
    if len(there[device]) > 1 and keras.config.backend() == "jax":
        spread = keras.distribution.DataParallel(devices=there[device], auto_shard_dataset=False)
        keras.distribution.set_distribution(spread)


def list_devices(kind: str) -> list[str]:
    """Names of the devices of a kind, cpu or gpu, that the backend finds."""
    import keras

    if keras.config.backend() == "torch":
        import torch

        count = torch.cuda.device_count() if kind == "gpu" else 1
        return [f"{kind}:{number}" for number in range(count)]
    try:
        return list(keras.distribution.list_devices(kind))
    except RuntimeError:
        # JAX has no platform of that name.
        return []


def gpu_memory() -> int:
    """Peak memory of the first GPU so far, in bytes; 0 where no GPU is used."""
    import keras

    backend = keras.config.backend()
    if not list_devices("gpu"):
        return 0
    if backend == "tensorflow":
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    if backend == "jax":
        import jax

        return int((jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0))
    import torch

    return int(torch.cuda.max_memory_allocated())


def forget_peak() -> None:
    """Begins to count the peak of the GPU's memory anew, where the backend can (not JAX)."""
    import keras

    backend = keras.config.backend()
    if backend == "tensorflow" and list_devices("gpu"):
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats("GPU:0")
    if backend == "torch" and list_devices("gpu"):
        import torch

        torch.cuda.reset_peak_memory_stats()


def is_out_of_memory(error: Exception) -> bool:
    """Whether a backend's error means that it ran out of memory."""
    if type(error).__name__ in {"ResourceExhaustedError", "OutOfMemoryError"}:
        return True
    return "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower()


def padded_to_devices(pixels: NDArray[np.int64], batch: int) -> NDArray[np.int64]:
    """Pads the pixels by repetition so that several devices can share each batch equally.

    Raises:
        InputError: A batch cannot be shared equally by the devices.
    """
    import keras
    import numpy as np

    spread = keras.distribution.distribution()
    if spread is None:
        return pixels
    among = int(np.prod(spread.device_mesh.shape))
    if batch % among:
        raise InputError(
            f"a batch is shared among {among} devices",
            received=f"a batch of {batch}",
            allowed=f"multiples of {among}",
            remedy=f"give --batch-size {-(-batch // among) * among}",
        )
    return np.resize(pixels, -(-len(pixels) // among) * among)
