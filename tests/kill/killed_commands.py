"""The commands that are killed: small, and one for each way that hsitf writes."""

from __future__ import annotations

from dataclasses import dataclass

SCENE = ("--scene", "tiny.npy", "--labels", "labels.npy")
RUN = "models/tiny/hu/a"

STUDY = """\
title = "Small"
[common]
scene = "tiny.npy"
network = "hu"
epochs = 1
[[grid]]
name = "small"
ratio = [0, 0.5]
tuning_epochs = 1
"""

# Typed once in a folder that all commands start from copies of.
PREPARATION = (
    ("train", "-m", "hu", *SCENE, "--epochs", "12", "--batch-size", "20", "--run", "a"),
    ("export", "--from", RUN, "--float32", "--int8"),
    ("train", "-m", "knn", *SCENE, "--runs", "3", "--run", "s"),
    ("train", "-m", "svm", *SCENE, "--runs", "3", "--run", "s"),
    ("explain", "--from", RUN, "--out", "explained"),
    ("classify", "--from", "export/tiny/hu/float32", "-o", "old.tif"),
)


@dataclass(frozen=True)
class KilledCommand:
    """A command and what it is called in tables.

    Attributes:
        verb: Name of the verb.
        words: Its arguments.
        name: Name in tables; the verb's where empty.
        refusal: What a command that is finished says when it is typed again; empty where it
            succeeds.
    """

    verb: str
    words: tuple[str, ...]
    name: str = ""
    refusal: str = ""

    @property
    def title(self) -> str:
        return self.name or self.verb


def command(line: str, name: str = "", refusal: str = "") -> KilledCommand:
    """A command from a line in which {scene} and {run} stand for the tiny ones."""
    verb, *words = line.format(scene=" ".join(SCENE), run=RUN).split()
    return KilledCommand(verb, tuple(words), name, refusal)


COMMANDS = (
    command("train -m hu {scene} --epochs 2 --batch-size 200 --run b"),
    command("train -m knn {scene} --run b", "train of a baseline"),
    command("train -m hu {scene} --epochs 1 --batch-size 99 --run c --bands pca:4", "train on PCA"),
    command(
        "adopt {run}/network.keras --name mine --accept-chance {scene} --run b",
        refusal="holds a network already",
    ),
    command("prune --from {run} --ratio 0.5 --epochs 1 --run b"),
    command("prune --from {run} --curve 0.3,0.5 --epochs 1 --run b", "prune to a curve"),
    command("prune --from {run} --alpha 0.5 --epochs 1 --run b", "prune weights"),
    command("export --from {run} --int8 --float32", "export over older bundles"),
    command("export --from {run} --dynamic --onnx", "export"),
    command("export --from {run} --int8 --tile 16 --android --web", "export --android --web"),
    command("compress --from {run} --max-drop 60 --epochs 1 --minutes 0.05 --run b"),
    command(
        "classify --from export/tiny/hu/float32 -o m.tif -o m.hdr -o m.png --probabilities p.tif "
        "--confidence c.tif",
        refusal="exists already",
    ),
    command(
        "classify --from export/tiny/hu/float32 -o old.tif --overwrite",
        "classify over an older map",
    ),
    command("quantize --from {run} --bits 4,8,32"),
    command("explain --from {run} --out other"),
    command("draw --from {run} --out drawn.svg"),
    command("report {run} --map old.tif --out page"),
    command("bench export/tiny/hu/float32 --rounds 2 --runs 2 --warm-up 1 --out results"),
    command(
        "scenes show tiny.npy --labels labels.npy --out scene.png", "scenes show", "exists already"
    ),
    command("bands pca:2 lda:2 {scene} --model knn --run b"),
    command("compare models/tiny/knn/s* models/tiny/svm/s* --out compared"),
    command("sweep small.toml --labels labels.npy --workers 1 --out study"),
)
