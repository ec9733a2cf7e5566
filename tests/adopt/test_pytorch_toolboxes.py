"""Checkpoints that PyTorch itself saves of networks as toolboxes define them, and their modules."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[torch]'")
pytest.importorskip("safetensors", reason="pip install '.[safetensors]'")

from safetensors.torch import save_file  # noqa: E402
from toolbox_networks import OWN_ORDER, TOOLBOX, Hu, Li, Liu, logits_of, trained  # noqa: E402
from torch import nn  # noqa: E402

from hsitf import zoo  # noqa: E402
from hsitf.adopt import pytorch  # noqa: E402
from hsitf.adopt.source import ReadingContext  # noqa: E402
from hsitf.errors import DataError, InputError  # noqa: E402

BANDS = {"chen": 94, "roy": 15}
CLASSES = 6
# Logits of the bound, of which none is above 2 here.
BOUND = 1e-4


def sizes(name):
    return BANDS.get(name, 60), zoo.network(name).patch


def error(model, network, patches):
    return float(np.abs(np.asarray(model(patches)) - logits_of(network, patches)).max())


def patches_of(name, count=3):
    bands, patch = sizes(name)
    shape = (count, patch, patch, bands)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", TOOLBOX)
def test_checkpoints_give_the_logits_of_the_toolbox(name, tmp_path):
    bands, patch = sizes(name)
    network, patches = trained(TOOLBOX[name], bands, CLASSES, patch), patches_of(name)
    weights, context = network.state_dict(), ReadingContext(bands, CLASSES)
    torch.save(weights, tmp_path / "a.pth")
    save_file(weights, tmp_path / "a.safetensors")
    for path in (tmp_path / "a.pth", tmp_path / "a.safetensors"):
        source = pytorch.read(path, context)
        assert source.network == name
        found = error(source.model, network, patches)
        print(f"{name} {path.suffix}: {found:.1e}")
        assert found <= BOUND


@pytest.mark.parametrize("kind", [*TOOLBOX.values(), *OWN_ORDER.values()])
def test_modules_in_memory_are_compared_by_their_logits(kind):
    names = {**{one: name for name, one in TOOLBOX.items()}, **{b: a for a, b in OWN_ORDER.items()}}
    name = names[kind]
    bands, patch = sizes(name)
    network, patches = trained(kind, bands, CLASSES, patch).train(), patches_of(name)
    source = pytorch.from_module(network, ReadingContext(bands, CLASSES, name))
    assert network.training
    logits = np.asarray(source.model(patches))
    np.testing.assert_allclose(source.reference([patches]), logits, atol=BOUND)
    layout = "(n, bands)" if patch == 1 else "(n, 1, bands, rows, cols)"
    assert source.remarks[-1] == f"its module takes patches as {layout}"
    assert error(source.model, network.eval(), patches) <= BOUND


@pytest.fixture(scope="module")
def li():
    return trained(Li, 60, CLASSES, 5)


CONTEXT = ReadingContext(60, CLASSES, "li")


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net", "anything"])
def test_weights_lie_under_the_usual_keys(key, li, tmp_path):
    saved = {"epoch": 3, "args": {"lr": 0.1}, key: li.state_dict()}
    torch.save(saved, tmp_path / "a.pt")
    source = pytorch.read(tmp_path / "a.pt", CONTEXT)
    assert error(source.model, li, patches_of("li")) <= BOUND


def test_weights_and_an_optimizer_are_told_apart(li, tmp_path):
    state = {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(16, 1, 7, 3, 3)}}
    optimizer = {"state": state, "param_groups": [{"lr": 0.1, "params": [0]}]}
    torch.save({"net": li.state_dict(), "optimizer": optimizer}, tmp_path / "a.pt")
    assert pytorch.read(tmp_path / "a.pt", CONTEXT).network == "li"


def test_names_and_precisions_are_free(li, tmp_path):
    weights = {f"module._orig_mod.{name}": one.double() for name, one in li.state_dict().items()}
    torch.save(weights, tmp_path / "a.pth")
    source = pytorch.read(tmp_path / "a.pth", CONTEXT)
    assert error(source.model, li, patches_of("li")) <= BOUND


def test_files_of_before_archives_are_read(li, tmp_path):
    torch.save(li.state_dict(), tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    source = pytorch.read(tmp_path / "a.pth", CONTEXT)
    assert error(source.model, li, patches_of("li")) <= BOUND


@pytest.mark.parametrize("archived", [True, False])
def test_a_whole_model_is_refused(archived, li, tmp_path):
    torch.save(li, tmp_path / "a.pth", _use_new_zipfile_serialization=archived)
    with pytest.raises(InputError, match=r"whole pickled model.*toolbox_networks\.Li"):
        pytorch.read(tmp_path / "a.pth", CONTEXT)


def test_a_program_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(nn.Linear(3, 2)), tmp_path / "a.pt")
    with pytest.raises(InputError, match="archive of TorchScript"):
        pytorch.read(tmp_path / "a.pt", CONTEXT)


class Written:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_code_beside_the_weights_is_refused(li, tmp_path):
    written = tmp_path / "attacked"
    torch.save({"state_dict": li.state_dict(), "more": Written(written)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="would run code when it is opened"):
        pytorch.read(tmp_path / "a.pth", CONTEXT)
    assert not written.exists()


def test_what_passes_the_names_is_refused_by_pytorch(li, tmp_path):
    # Of an admitted package, and yet no array.
    torch.save(
        {"state_dict": li.state_dict(), "more": torch.nn.functional.relu}, tmp_path / "a.pth"
    )
    with pytest.raises(InputError, match=r"would run code .*torch\.nn\.functional\.relu"):
        pytorch.read(tmp_path / "a.pth", CONTEXT)


@pytest.mark.parametrize("saved", [[1, 2], torch.zeros(3), {"epoch": 3}, {}])
def test_what_is_no_state_dict_is_refused(saved, tmp_path):
    torch.save(saved, tmp_path / "a.pth")
    with pytest.raises(InputError, match="holds no state_dict"):
        pytorch.read(tmp_path / "a.pth", CONTEXT)


def test_two_sets_of_weights_are_refused(li, tmp_path):
    torch.save({"teacher": li.state_dict(), "student": li.state_dict()}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="received: a dict with teacher, student"):
        pytorch.read(tmp_path / "a.pth", CONTEXT)


def test_a_file_that_is_cut_off_is_refused(li, tmp_path):
    torch.save(li.state_dict(), tmp_path / "a.pth")
    whole = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="no checkpoint of PyTorch, or is damaged"):
        pytorch.read(tmp_path / "a.pth", CONTEXT)


def test_arrays_larger_than_what_is_stored_are_refused(tmp_path):
    torch.save({"a.weight": torch.zeros(1).expand(2**31)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="more numbers than the weights of a network"):
        pytorch.read(tmp_path / "a.pth", CONTEXT)


def test_sparse_arrays_are_refused(tmp_path):
    torch.save({"a.weight": torch.eye(3).to_sparse()}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a\.weight: sparse, quantized or complex"):
        pytorch.read(tmp_path / "a.pth", CONTEXT)


class Channels(Li):
    """Takes what is no layout of a toolbox."""

    def forward(self, x):
        return super().forward(x["patches"])


class Squared(Li):
    """Has the layers of Li and computes something else."""

    def forward(self, x):
        return super().forward(x * x)


class Image(Li):
    """Takes patches as images."""

    def forward(self, x):
        return super().forward(x[:, None])


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Channels, r"in no layout .*\(n, 1, bands, rows, cols\): .*wrap it"),
        (Squared, r"computes something else; received: logits that differ by .*ONNX"),
    ],
)
def test_modules_that_compute_something_else_are_refused(kind, message):
    with pytest.raises(InputError, match=message):
        pytorch.from_module(trained(kind, 60, CLASSES, 5), CONTEXT)


def test_the_layout_of_a_module_is_found():
    source = pytorch.from_module(trained(Image, 60, CLASSES, 5), CONTEXT)
    assert source.remarks[-1].endswith("(n, bands, rows, cols)")


def test_a_decoder_of_a_toolbox_is_left_out(tmp_path):
    torch.save(trained(Liu, 60, CLASSES, 9).state_dict(), tmp_path / "a.pth")
    source = pytorch.read(tmp_path / "a.pth", ReadingContext(60, CLASSES))
    # Four dense layers and three normalizations, one of which its forward pass leaves out.
    assert source.remarks[0].startswith("its decoder (7 layers)")


def test_equal_layers_without_an_order_are_mentioned(tmp_path):
    bands, patch = sizes("hamida")
    save_file(
        trained(TOOLBOX["hamida"], bands, CLASSES, patch).state_dict(), tmp_path / "a.safetensors"
    )
    source = pytorch.read(tmp_path / "a.safetensors", ReadingContext(bands, CLASSES, "hamida"))
    assert "layers of equal shape were ordered by their names, as the file has none" in (
        source.remarks
    )
    save_file(trained(Hu, 60, CLASSES, 1).state_dict(), tmp_path / "b.safetensors")
    source = pytorch.read(tmp_path / "b.safetensors", ReadingContext(60, CLASSES, "hu"))
    assert source.remarks == ()
