"""Importance criteria beside each other: accuracy after the same cut, and after fine-tuning.

    PYTHONPATH=. python benchmarks/criteria.py cao hu --scene Samson --scene IndianPines
        [--data-dir FOLDER] [--criterion l2 ...] [--seeds 2] [--macs 0.3] [--epochs cao=8 hu=40]
        [--tune 4] [--correlations]

For every scene, network and seed a network is trained by the robust recipe on a disjoint split
(guard 8), cut to a share of its multiply-accumulates by each criterion, and fine-tuned. A table a
scene and network has the mean overall accuracy over the seeds, on validation and on test pixels,
with the lowest and the highest. The last table ranks the criteria by validation pixels after
fine-tuning: the mean rank over scenes, networks and seeds, 1 for the best. Criteria are chosen by
validation pixels; test pixels only show whether that was right.

`--correlations` prints, for each layer of the trained networks that may lose channels, what share
of the maps is zero, what share of the values of the log-spectrum is below zero, before and after
maps are scaled, and the rank correlation (Spearman) of `lfp` with the formula as it is written,
where values below zero are squared like others, and with other criteria.

Every network is an ordinary run (in `models/`): the command, repeated, goes on where it was.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import hsitf

CRITERIA = (
    "l1",
    "l2",
    "fpgm",
    "taylor",
    "activation",
    "lfp",
    "lfp_scaled",
    "low_frequency",
    "high_frequency",
    "lfp+l1",
    "random",
)


class Accuracies(NamedTuple):
    """Overall accuracies of a network in percent.

    Attributes:
        validation: On validation pixels.
        test: On test pixels.
    """

    validation: float
    test: float


class Pruned(NamedTuple):
    """One network pruned by one criterion.

    Attributes:
        whole: The network before the cut.
        cut: After it, not fine-tuned.
        tuned: After fine-tuning.
    """

    whole: Accuracies
    cut: Accuracies
    tuned: Accuracies


def origin(scene: hsitf.LoadedScene, network: str, seed: int, epochs: int) -> hsitf.TrainedNetwork:
    """Trains a network, or finds its run."""
    return hsitf.train_network(
        network,
        scene,
        guard=8,
        seed=seed,
        recipe="robust",
        epochs=epochs,
        run=f"criteria-{epochs}-seed{seed}",
    )


def pruned(
    trained: hsitf.TrainedNetwork, whole: Accuracies, criterion: str, macs: float, tune: int
) -> Pruned:
    """Prunes and fine-tunes a network, or finds its run; evaluates it before and after that."""
    from hsitf.prune import PruningPlan, thin
    from hsitf.prune.run import CHANNELS

    label = criterion.replace("*", "")
    run = trained.prune(
        macs=macs,
        criterion=criterion,
        epochs=tune,
        threads=None,
        run=f"{trained.folder.name}-{label}-macs{macs:g}-{tune}",
    )
    cut = thin(trained.model, PruningPlan.load(run.folder / CHANNELS))
    return Pruned(whole, *(accuracies(trained, one) for one in (cut, run.model)))


def accuracies(trained: hsitf.TrainedNetwork, network: object) -> Accuracies:
    """Accuracies of a network on the validation and the test pixels of a run."""
    from hsitf.train.evaluation import evaluate
    from hsitf.train.gather import gather_model

    data = _data(trained)
    model = gather_model(network, data.patches)
    split = data.split
    return Accuracies(
        *(100 * evaluate(model, data, pixels).oa for pixels in (split.validation, split.test))
    )


_DATA: dict[str, object] = {}


def _data(trained: hsitf.TrainedNetwork) -> object:
    """The scene of a run, read once."""
    key = str(trained.folder)
    if key not in _DATA:
        _DATA.clear()
        _DATA[key] = trained.run.data(trained.choice)
    return _DATA[key]


def table(found: dict[str, list[Pruned]]) -> str:
    """The accuracies of one scene and network, a line a criterion, as Markdown."""
    lines = [
        "| criterion | cut, validation | cut, test | fine-tuned, validation | fine-tuned, test |",
        "|---|---|---|---|---|",
    ]
    whole = [one.whole for one in next(iter(found.values()))]
    lines.append(
        f"| not cut | | | {_mean([w.validation for w in whole])} | "
        f"{_mean([w.test for w in whole])} |"
    )
    for criterion, runs in found.items():
        columns = [
            _mean([getattr(getattr(run, stage), pixels) for run in runs])
            for stage in ("cut", "tuned")
            for pixels in ("validation", "test")
        ]
        lines.append(f"| `{criterion}` | {' | '.join(columns)} |")
    return "\n".join(lines)


def _mean(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{np.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Ranks of values, 1 for the largest; equal values share the mean of their ranks."""
    from scipy.stats import rankdata

    return np.asarray(rankdata([-value for value in values]))


def ranking_table(results: dict[tuple[str, str], dict[str, list[Pruned]]]) -> str:
    """Mean ranks of the criteria over scenes, networks and seeds, as Markdown."""
    stages = [(s, p) for s in ("cut", "tuned") for p in ("validation", "test")]
    found: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    means: dict[str, list[float]] = defaultdict(list)
    for by_criterion in results.values():
        names = list(by_criterion)
        for seed in range(len(by_criterion[names[0]])):
            for stage, pixels in stages:
                values = [getattr(getattr(by_criterion[n][seed], stage), pixels) for n in names]
                for name, rank in zip(names, ranks(values), strict=True):
                    found[name][stage, pixels].append(float(rank))
            for name in names:
                run = by_criterion[name][seed]
                means[name].append(run.tuned.validation - run.whole.validation)
    lines = [
        "| criterion | rank: cut, validation | cut, test | fine-tuned, validation | "
        "fine-tuned, test | points lost, validation |",
        "|---|---|---|---|---|---|",
    ]
    order = sorted(found, key=lambda name: np.mean(found[name]["tuned", "validation"]))
    for name in order:
        columns = [f"{np.mean(found[name][one]):.1f}" for one in stages]
        lines.append(f"| `{name}` | {' | '.join(columns)} | {-np.mean(means[name]):.1f} |")
    return "\n".join(lines)


def correlations(trained: hsitf.TrainedNetwork) -> Iterator[str]:
    """Lines of Markdown: what becomes of lfp in each layer of a network."""
    from scipy.stats import spearmanr

    from hsitf.prune.criteria import activation, get_criterion, lfp, lfp_scaled, low_frequency
    from hsitf.prune.evidence import gather_evidence
    from hsitf.prune.iterations import calibration_samples
    from hsitf.prune.tracing import groups_of, trace

    network = trained.model
    traced = trace(network)
    samples = calibration_samples(_data(trained))
    cut = {n for group in groups_of(traced.graph) if not group.protected for n in group.layers}
    scores: dict[str, dict[str, list[NDArray[np.float64]]]] = defaultdict(lambda: defaultdict(list))
    shares: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for batch in gather_evidence(network, traced, get_criterion("lfp"), samples):
        for layer in cut & set(batch):
            maps = batch[layer].feature_maps.astype(np.float64)
            for score in (lfp, lfp_scaled, activation, low_frequency):
                scores[layer][score.__name__].append(score(batch[layer]))
            scores[layer]["formula"].append(_literal(maps))
            zero = float((np.abs(maps).max(axis=(2, 3)) == 0).mean())
            shares[layer].append((zero, _below(maps), _below(maps / (maps.std() or 1.0))))
    for layer in [name for name in traced.widths if name in scores]:
        mean = {name: np.mean(values, axis=0) for name, values in scores[layer].items()}
        columns = [f"{share:.0%}" for share in np.mean(shares[layer], axis=0)]
        columns += [
            f"{spearmanr(mean['lfp'], mean[other])[0]:+.2f}"
            for other in ("formula", "activation", "low_frequency", "lfp_scaled")
        ]
        yield f"| {' | '.join([layer, *columns])} |"


def _below(maps: NDArray[np.float64]) -> float:
    """Share of the values 1 + log|FFT2| that are below zero."""
    return float((np.abs(np.fft.fft2(maps)) < np.exp(-1)).mean())


def _literal(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equations 5 to 7 of the paper as they are written."""
    spectra = np.abs(np.fft.fft2(maps.astype(np.float64)))
    # The logarithm of zero is not finite; a channel that is zero is left out by that.
    pictures = 1 + np.log(np.maximum(spectra, 1e-12))
    squares = (pictures**2).sum(axis=(0, 2, 3))
    whole = squares.sum()
    return np.asarray(np.sqrt(whole) - np.sqrt(np.maximum(whole - squares, 0)))


CORRELATION_HEAD = """\
| layer | maps that are zero | below zero | below zero, scaled | lfp with the formula | \
with activation | with low_frequency | with lfp_scaled |
|---|---|---|---|---|---|---|---|"""


def main() -> None:
    """Prints the tables as soon as they are complete."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["cao", "hu"])
    parser.add_argument("--scene", action="append", help="name, or CUBE:LABELS; repeatable")
    parser.add_argument("--data-dir")
    parser.add_argument("--criterion", nargs="+", default=CRITERIA)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--macs", type=float, default=0.3, help="share that is left")
    parser.add_argument("--epochs", nargs="+", default=["cao=8", "hu=40"], help="NETWORK=EPOCHS")
    parser.add_argument("--tune", type=int, default=4, help="epochs of fine-tuning")
    parser.add_argument("--correlations", action="store_true")
    asked = parser.parse_args()
    epochs = {name: int(count) for name, _, count in (one.partition("=") for one in asked.epochs)}
    results: dict[tuple[str, str], dict[str, list[Pruned]]] = {}
    for name in asked.scene or ["Samson", "IndianPines"]:
        cube, _, labels = name.partition(":")
        scene = hsitf.load_scene(cube, labels=labels or None, data_dir=asked.data_dir)
        for network in asked.networks:
            found: dict[str, list[Pruned]] = defaultdict(list)
            print(f"\n{network} on {scene.name}\n", flush=True)
            if asked.correlations:
                print(CORRELATION_HEAD)
            for seed in range(asked.seeds):
                trained = origin(scene, network, seed, epochs[network])
                if asked.correlations:
                    print("\n".join(correlations(trained)), flush=True)
                    continue
                whole = accuracies(trained, trained.model)
                for criterion in asked.criterion:
                    one = pruned(trained, whole, criterion, asked.macs, asked.tune)
                    found[criterion].append(one)
            if found:
                results[scene.name, network] = dict(found)
                print(table(found), flush=True)
    if results:
        print(f"\nMean ranks, 1 for the best\n\n{ranking_table(results)}")


if __name__ == "__main__":
    main()
