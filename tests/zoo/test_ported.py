"""The zoo against PyTorch: the same layers, spelled as the field's PyTorch toolboxes have them.

Patches lie bands first there, `(batch, 1, bands, rows, cols)` for volumes, and weights are ported
layer by layer in the order of the forward pass. Where the logits are equal, a network trained by
such a toolbox is one of ours with its weights moved.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[torch]'")

import keras  # noqa: E402
from torch import nn  # noqa: E402

from hsitf import zoo  # noqa: E402

BANDS, CLASSES = 60, 5


class Residual(nn.Module):
    def __init__(self, *parts: nn.Module, last: nn.Module | None = None) -> None:
        super().__init__()
        self.parts, self.last = nn.Sequential(*parts), last or nn.Identity()

    def forward(self, x):
        return self.last(x + self.parts(x))


class Summed(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return sum(branch(x) for branch in self.branches)


class Beside(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Does(nn.Module):
    def __init__(self, action) -> None:
        super().__init__()
        self.action = action

    def forward(self, x):
        return self.action(x)


class States(nn.Module):
    """All states of a recurrent layer, (batch, units, steps)."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 64, batch_first=True)

    def forward(self, x):
        return self.gru(x.transpose(1, 2))[0]


def conv(before, after, bands, side=1, stride=1, zeros=0):
    return nn.Conv3d(before, after, (bands, side, side), (stride, 1, 1), (zeros, 0, 0))


def relu(*layers):
    return [part for layer in layers for part in (layer, nn.ReLU())]


def scales():
    branches = [conv(16, 16, taps, zeros=taps // 2) for taps in (1, 3, 5, 11)]
    return Summed(*branches), nn.ReLU()


def image():
    return Does(lambda x: x.flatten(1, 2))


def spectrum():
    return Does(lambda x: x[:, :, :, 0, 0])


def chen(bands):
    pool = nn.MaxPool3d((1, 2, 2))
    return [
        *relu(conv(1, 32, 32, 4)),
        pool,
        *relu(conv(32, 32, 32, 4)),
        pool,
        *relu(conv(32, 32, 32, 4)),
    ]


def lee(bands):
    return [
        Beside(
            nn.Conv3d(1, 128, (bands, 3, 3), padding=(0, 1, 1)), nn.Conv3d(1, 128, (bands, 1, 1))
        ),
        image(),
        nn.LocalResponseNorm(256),
        nn.ReLU(),
        nn.Conv2d(256, 128, 1),
        nn.LocalResponseNorm(128),
        nn.ReLU(),
        *(
            Residual(nn.Conv2d(128, 128, 1), nn.ReLU(), nn.Conv2d(128, 128, 1), last=nn.ReLU())
            for _ in range(2)
        ),
        *relu(nn.Conv2d(128, 128, 1), nn.Conv2d(128, 128, 1)),
        Does(lambda x: x[:, :, 2:3, 2:3]),
    ]


# By network, what comes before its last layer, which is dense; of bands.
BODIES = {
    "nn": lambda bands: [
        spectrum(),
        nn.Flatten(),
        *relu(nn.Linear(bands, 2048), nn.Linear(2048, 4096), nn.Linear(4096, 2048)),
    ],
    "hu": lambda bands: [
        spectrum(),
        nn.Conv1d(1, 20, -(-bands // 9)),
        nn.MaxPool1d(math.ceil(math.ceil(bands / 9) / 5)),
        nn.Tanh(),
        nn.Flatten(),
        nn.LazyLinear(100),
        nn.Tanh(),
    ],
    "hamida": lambda bands: [
        *relu(conv(1, 20, 3, 3)),
        conv(20, 20, 3, stride=2, zeros=1),
        *relu(conv(20, 35, 3, 3, zeros=1)),
        conv(35, 35, 3, stride=2, zeros=1),
        *relu(conv(35, 35, 3, zeros=1), conv(35, 35, 2, stride=2, zeros=1)),
    ],
    "lee": lee,
    "chen": chen,
    "li": lambda bands: relu(conv(1, 16, 7, 3, zeros=1), conv(16, 32, 3, 3, zeros=1)),
    "he": lambda bands: [
        *relu(conv(1, 16, 11, 3, stride=3)),
        *scales(),
        *scales(),
        *relu(conv(16, 16, 3, 2)),
    ],
    "luo": lambda bands: [
        *relu(conv(1, 90, 24, 3, stride=9)),
        # Rows are positions along the spectrum, columns are filters.
        Does(lambda x: x[:, None, :, :, 0, 0].transpose(2, 3)),
        *relu(nn.Conv2d(1, 64, 3)),
        nn.Flatten(),
        *relu(nn.LazyLinear(1024)),
    ],
    "sharma": lambda bands: [
        image(),
        nn.Conv2d(bands, 96, 6, 2),
        nn.BatchNorm2d(96),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(96, 256, 3, 2),
        nn.BatchNorm2d(256),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *relu(nn.Conv2d(256, 512, 3)),
        nn.Flatten(),
        nn.LazyLinear(1024),
    ],
    "liu": lambda bands: [
        image(),
        nn.Conv2d(bands, 80, 3),
        nn.BatchNorm2d(80),
        nn.MaxPool2d(2),
        nn.ReLU(),
    ],
    "mou": lambda bands: [
        spectrum(),
        States(),
        nn.Flatten(),
        nn.BatchNorm1d(64 * bands),
        nn.Tanh(),
    ],
    "roy": lambda bands: [
        *relu(conv(1, 8, 7, 3), conv(8, 16, 5, 3), conv(16, 32, 3, 3)),
        # Ours lays the filters of a band side by side.
        Does(lambda x: x.transpose(1, 2).flatten(1, 2)),
        *relu(nn.Conv2d(32 * (bands - 12), 64, 3)),
        nn.Flatten(),
        *relu(nn.LazyLinear(256), nn.Linear(256, 128)),
    ],
    "cao": lambda bands: [
        image(),
        *relu(nn.Conv2d(bands, 300, 3)),
        nn.MaxPool2d(2, ceil_mode=True),
        *relu(nn.Conv2d(300, 200, 3)),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(),
        *relu(nn.LazyLinear(200), nn.Linear(200, 100)),
    ],
}
SIZES = {"chen": 94, "roy": 15}


def numbers(tensor):
    return tensor.detach().numpy()


def ported(module, layer, shape):
    """Weights of a PyTorch layer as a Keras layer has them.

    Args:
        module: Of PyTorch.
        layer: Of Keras.
        shape: (rows, cols, ..., channels) of what was flattened before a dense layer; None else.
    """
    if isinstance(module, nn.GRU):
        # Both have three gates side by side: PyTorch reset, update, new; Keras update, reset, new.
        def gates(weights):
            reset, update, new = np.split(numbers(weights), 3)
            return np.concatenate([update, reset, new]).T

        biases = np.stack([gates(module.bias_ih_l0), gates(module.bias_hh_l0)])
        return [gates(module.weight_ih_l0), gates(module.weight_hh_l0), biases]
    weight, bias = numbers(module.weight), numbers(module.bias)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        return [weight, bias, numbers(module.running_mean), numbers(module.running_var)]
    if isinstance(module, nn.Linear):
        if shape is not None:
            # (channels, ...) there, (..., channels) here.
            first = np.reshape(weight, (len(weight), shape[-1], *_bands_first(shape[:-1])))
            order = (*_ours(len(shape) - 1), 1, 0)
            return [np.transpose(first, order).reshape(-1, len(weight)), bias]
        return [weight.T, bias]
    axes = {3: (2, 1, 0), 4: (2, 3, 1, 0), 5: (3, 4, 2, 1, 0)}[weight.ndim]
    kernel = np.transpose(weight, axes)
    return [kernel.reshape(layer.kernel.shape), bias]


def _bands_first(places):
    """Sizes of (rows, cols, bands) as PyTorch lays them; of others as they are."""
    return (places[2], places[0], places[1]) if len(places) == 3 else tuple(places)


def _ours(rank):
    """Axes behind the channels that bring (bands, rows, cols) back to (rows, cols, bands)."""
    return (3, 4, 2) if rank == 3 else tuple(range(2, 2 + rank))


def flattened(network, layer):
    """What was flattened right before a dense layer; None where nothing of several axes was."""
    before = layer.input._keras_history.operation
    while isinstance(before, keras.layers.Dropout):
        before = before.input._keras_history.operation
    if not isinstance(before, keras.layers.Flatten) or len(before.input.shape) <= 2:
        return None
    return tuple(before.input.shape[1:])


@pytest.mark.parametrize("name", BODIES)
def test_ported_weights_give_the_same_logits(name):
    bands = SIZES.get(name, BANDS)
    network = zoo.build(name, bands=bands, classes=CLASSES)
    patch = zoo.network(name).patch
    torch.manual_seed(0)
    theirs = nn.Sequential(*BODIES[name](bands), nn.Flatten(), nn.LazyLinear(CLASSES)).eval()
    patches = np.random.default_rng(0).normal(size=(3, patch, patch, bands)).astype(np.float32)
    volumes = torch.from_numpy(patches.transpose(0, 3, 1, 2)[:, None].copy())
    with torch.no_grad():
        theirs(volumes)
        for module in theirs.modules():
            # Fresh statistics would hide where a normalization is missing.
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        wanted = theirs(volumes).numpy()
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.BatchNorm1d, nn.BatchNorm2d, nn.GRU)
    modules = [module for module in theirs.modules() if isinstance(module, kinds)]
    layers = [layer for layer in network.layers if layer.weights]
    for module, layer in zip(modules, layers, strict=True):
        dense = isinstance(layer, keras.layers.Dense)
        layer.set_weights(ported(module, layer, flattened(network, layer) if dense else None))
    found = keras.ops.convert_to_numpy(network(patches))
    np.testing.assert_allclose(found, wanted, atol=1e-4 * max(1, np.abs(wanted).max()))
