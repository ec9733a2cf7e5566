"""Networks as the field's PyTorch toolboxes define them: layers, axes and reshapes are theirs.

Patches are `(n, 1, bands, rows, cols)`, spectra `(n, bands)`. Attributes are named by what they
hold; a checkpoint has its own names anyway.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional


class Toolbox(nn.Module):
    """A network whose layers are made by `define` when the sizes are known."""

    def __init__(self, bands: int, classes: int, patch: int) -> None:
        super().__init__()
        self.bands, self.classes, self.patch = bands, classes, patch
        self.define(bands, classes, patch)

    def features_of(self, bands: int, patch: int) -> int:
        with torch.no_grad():
            return self.body(torch.zeros(2, 1, bands, patch, patch)).flatten(1).shape[1]


class Hu(Toolbox):
    def define(self, bands, classes, patch):
        taps = math.ceil(bands / 9)
        self.conv, self.pool = nn.Conv1d(1, 20, taps), nn.MaxPool1d(math.ceil(taps / 5))
        size = 20 * ((bands - taps + 1) // self.pool.kernel_size)
        self.fc1, self.fc2 = nn.Linear(size, 100), nn.Linear(100, classes)

    def forward(self, x):
        x = torch.tanh(self.pool(self.conv(x.unsqueeze(1)))).flatten(1)
        return self.fc2(torch.tanh(self.fc1(x)))


class Nn(Toolbox):
    def define(self, bands, classes, patch):
        self.fc1, self.fc2 = nn.Linear(bands, 2048), nn.Linear(2048, 4096)
        self.fc3, self.fc4 = nn.Linear(4096, 2048), nn.Linear(2048, classes)

    def forward(self, x):
        for layer in (self.fc1, self.fc2, self.fc3):
            x = torch.relu(layer(x))
        return self.fc4(x)


class Hamida(Toolbox):
    def define(self, bands, classes, patch):
        ends = (1, 0, 0)
        self.conv1 = nn.Conv3d(1, 20, 3, padding=1 if patch == 3 else 0)
        self.pool1 = nn.Conv3d(20, 20, (3, 1, 1), (2, 1, 1), ends)
        self.conv2 = nn.Conv3d(20, 35, 3, padding=ends)
        self.pool2 = nn.Conv3d(35, 35, (3, 1, 1), (2, 1, 1), ends)
        self.conv3 = nn.Conv3d(35, 35, (3, 1, 1), padding=ends)
        self.conv4 = nn.Conv3d(35, 35, (2, 1, 1), (2, 1, 1), ends)
        self.fc = nn.Linear(self.features_of(bands, patch), classes)

    def body(self, x):
        x = self.pool1(torch.relu(self.conv1(x)))
        x = self.pool2(torch.relu(self.conv2(x)))
        return torch.relu(self.conv4(torch.relu(self.conv3(x))))

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


class Lee(Toolbox):
    def define(self, bands, classes, patch):
        self.conv_3x3 = nn.Conv3d(1, 128, (bands, 3, 3), padding=(0, 1, 1))
        self.conv_1x1 = nn.Conv3d(1, 128, (bands, 1, 1))
        for number in range(1, 9):
            sizes = {1: (256, 128), 8: (128, classes)}.get(number, (128, 128))
            setattr(self, f"conv{number}", nn.Conv2d(*sizes, 1))

    def forward(self, x):
        x = torch.cat([self.conv_3x3(x), self.conv_1x1(x)], 1).squeeze()
        x = torch.relu(functional.local_response_norm(x, 256))
        x = torch.relu(functional.local_response_norm(self.conv1(x), 128))
        x = torch.relu(x + self.conv3(torch.relu(self.conv2(x))))
        x = torch.relu(x + self.conv5(torch.relu(self.conv4(x))))
        # Logits of every pixel of the patch.
        return self.conv8(torch.relu(self.conv7(torch.relu(self.conv6(x)))))


class Chen(Toolbox):
    def define(self, bands, classes, patch):
        self.conv1, self.conv2, self.conv3 = (
            nn.Conv3d(before, 32, (32, 4, 4)) for before in (1, 32, 32)
        )
        self.pool = nn.MaxPool3d((1, 2, 2))
        self.fc = nn.Linear(self.features_of(bands, patch), classes)

    def body(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return torch.relu(self.conv3(x))

    forward = Hamida.forward


class Li(Toolbox):
    def define(self, bands, classes, patch):
        self.conv1 = nn.Conv3d(1, 16, (7, 3, 3), padding=(1, 0, 0))
        self.conv2 = nn.Conv3d(16, 32, 3, padding=(1, 0, 0))
        self.fc = nn.Linear(self.features_of(bands, patch), classes)

    def body(self, x):
        return torch.relu(self.conv2(torch.relu(self.conv1(x))))

    forward = Hamida.forward


class He(Toolbox):
    def define(self, bands, classes, patch):
        self.conv1 = nn.Conv3d(1, 16, (11, 3, 3), (3, 1, 1))
        for block in (2, 3):
            for number, taps in enumerate((1, 3, 5, 11), 1):
                layer = nn.Conv3d(16, 16, (taps, 1, 1), padding=(taps // 2, 0, 0))
                setattr(self, f"conv{block}_{number}", layer)
        self.conv4 = nn.Conv3d(16, 16, (3, 2, 2))
        self.fc = nn.Linear(self.features_of(bands, patch), classes)

    def body(self, x):
        x = torch.relu(self.conv1(x))
        for block in (2, 3):
            x = torch.relu(sum(getattr(self, f"conv{block}_{n}")(x) for n in (1, 2, 3, 4)))
        return torch.relu(self.conv4(x))

    forward = Hamida.forward


class Luo(Toolbox):
    def define(self, bands, classes, patch):
        self.conv1 = nn.Conv3d(1, 90, (24, 3, 3), (9, 1, 1))
        self.conv2 = nn.Conv2d(1, 64, 3)
        self.fc1 = nn.Linear(self.features_of(bands, patch), 1024)
        self.fc2 = nn.Linear(1024, classes)

    def image(self, x):
        # Memory as it lies: the second filter begins where the first one ends.
        return x.view(len(x), 1, -1, 90)

    def body(self, x):
        return torch.relu(self.conv2(self.image(torch.relu(self.conv1(x)))))

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(self.body(x).flatten(1))))


class TransposedLuo(Luo):
    def image(self, x):
        return x[:, None, :, :, 0, 0].transpose(2, 3)


class Sharma(Toolbox):
    def define(self, bands, classes, patch):
        self.conv1 = nn.Conv3d(1, 96, (bands, 6, 6), (1, 2, 2))
        self.conv1_bn, self.conv2_bn = nn.BatchNorm3d(96), nn.BatchNorm3d(256)
        self.conv2 = nn.Conv3d(1, 256, (96, 3, 3), (1, 2, 2))
        self.conv3 = nn.Conv3d(1, 512, (256, 3, 3))
        self.pool = nn.MaxPool3d((1, 2, 2))
        self.fc1 = nn.Linear(self.features_of(bands, patch), 1024)
        self.fc2 = nn.Linear(1024, classes)

    def body(self, x):
        x = self.pool(torch.relu(self.conv1_bn(self.conv1(x)))).transpose(1, 2)
        x = self.pool(torch.relu(self.conv2_bn(self.conv2(x)))).transpose(1, 2)
        return torch.relu(self.conv3(x))

    def forward(self, x):
        return self.fc2(self.fc1(self.body(x).flatten(1)))


class Liu(Toolbox):
    def define(self, bands, classes, patch):
        self.conv1, self.conv1_bn = nn.Conv2d(bands, 80, 3), nn.BatchNorm2d(80)
        whole, pooled = 80 * (patch - 2) ** 2, 80 * ((patch - 2) // 2) ** 2
        self.fc_enc = nn.Linear(pooled, classes)
        self.fc1_dec, self.fc1_dec_bn = nn.Linear(pooled, pooled), nn.BatchNorm1d(pooled)
        self.fc2_dec, self.fc2_dec_bn = nn.Linear(pooled, pooled), nn.BatchNorm1d(pooled)
        self.fc3_dec, self.fc3_dec_bn = nn.Linear(pooled, whole), nn.BatchNorm1d(whole)
        self.fc4_dec = nn.Linear(whole, bands)

    def forward(self, x):
        found = self.conv1_bn(self.conv1(x.squeeze()))
        pooled = functional.max_pool2d(found, 2)
        code = torch.relu(pooled).flatten(1)
        x = torch.relu(self.fc1_dec(code))
        x = torch.relu(self.fc2_dec_bn(self.fc2_dec(x) + pooled.flatten(1)))
        x = torch.relu(self.fc3_dec_bn(self.fc3_dec(x) + found.flatten(1)))
        return self.fc_enc(code), self.fc4_dec(x)


class Boulch(Toolbox):
    def define(self, bands, classes, patch):
        parts, left = [], bands
        while left > 1:
            before = 1 if left == bands else 32 if left == bands // 2 else 16
            after = 32 if left == bands else 16
            parts += [nn.Conv1d(before, after, 3, padding=1), nn.MaxPool1d(2)]
            parts += [nn.ReLU(), nn.BatchNorm1d(after)]
            left //= 2
        self.encoder = nn.Sequential(*parts, nn.Conv1d(16, 3, 3, padding=1), nn.Tanh())
        self.classifier, self.regressor = nn.Linear(3, classes), nn.Linear(3, bands)

    def forward(self, x):
        code = self.encoder(x.unsqueeze(1)).flatten(1)
        return self.classifier(code), self.regressor(code)


class Mou(Toolbox):
    def define(self, bands, classes, patch):
        self.gru, self.gru_bn = nn.GRU(1, 64), nn.BatchNorm1d(64 * bands)
        self.fc = nn.Linear(64 * bands, classes)

    def flat(self, states):
        # (steps, n, units): all steps of the first unit come first.
        return states.permute(1, 2, 0).flatten(1)

    def forward(self, x):
        states = self.gru(x.squeeze().unsqueeze(0).permute(2, 1, 0))[0]
        return self.fc(torch.tanh(self.gru_bn(self.flat(states))))


class StepwiseMou(Mou):
    def flat(self, states):
        return states.transpose(0, 1).flatten(1)


class Roy(Toolbox):
    def define(self, bands, classes, patch):
        self.conv1, self.conv2 = nn.Conv3d(1, 8, (7, 3, 3)), nn.Conv3d(8, 16, (5, 3, 3))
        self.conv3, self.conv4 = nn.Conv3d(16, 32, 3), nn.Conv2d(32 * (bands - 12), 64, 3)
        self.fc1 = nn.Linear(self.features_of(bands, patch), 256)
        self.fc2, self.fc3 = nn.Linear(256, 128), nn.Linear(128, classes)

    def image(self, x):
        # All bands of the first filter come first.
        return x.flatten(1, 2)

    def body(self, x):
        for layer in (self.conv1, self.conv2, self.conv3):
            x = torch.relu(layer(x))
        return torch.relu(self.conv4(self.image(x)))

    def forward(self, x):
        x = torch.relu(self.fc1(self.body(x).flatten(1)))
        return self.fc3(torch.relu(self.fc2(x)))


class BandwiseRoy(Roy):
    def image(self, x):
        return x.transpose(1, 2).flatten(1, 2)


class Cao(Toolbox):
    def define(self, bands, classes, patch):
        self.features = nn.Sequential(
            nn.Conv2d(bands, 300, 3), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True),
            nn.Conv2d(300, 200, 3), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True),
        )  # fmt: skip
        with torch.no_grad():
            size = self.features(torch.zeros(1, bands, patch, patch)).numel()
        self.classifier = nn.Sequential(
            nn.Linear(size, 200), nn.ReLU(), nn.Linear(200, 100), nn.ReLU(), nn.Linear(100, classes)
        )

    def forward(self, x):
        return self.classifier(self.features(x.flatten(1, 2)).flatten(1))


TOOLBOX = {
    "boulch": Boulch,
    "cao": Cao,
    "chen": Chen,
    "hamida": Hamida,
    "he": He,
    "hu": Hu,
    "lee": Lee,
    "li": Li,
    "liu": Liu,
    "luo": Luo,
    "mou": Mou,
    "nn": Nn,
    "roy": Roy,
    "sharma": Sharma,
}
# The same networks with the reshapes of the zoo.
OWN_ORDER = {"luo": TransposedLuo, "mou": StepwiseMou, "roy": BandwiseRoy}


def trained(kind: type[Toolbox], bands: int, classes: int, patch: int) -> Toolbox:
    """A network with random weights, and statistics of normalization that are not 0 and 1."""
    torch.manual_seed(0)
    network = kind(bands, classes, patch).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            with torch.no_grad():
                module.weight.uniform_(0.5, 2)
                module.bias.normal_()
    return network


def logits_of(network: Toolbox, patches):
    """Logits of patches (n, rows, cols, bands) as the toolbox computes them, of the center."""
    x = torch.from_numpy(patches.transpose(0, 3, 1, 2)[:, None].copy())
    with torch.no_grad():
        found = network(x[:, 0, :, 0, 0] if network.patch == 1 else x)
    found = found[0] if isinstance(found, tuple) else found
    return (found[:, :, 2, 2] if found.ndim == 4 else found).numpy()
