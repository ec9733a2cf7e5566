"""Study files: what is to be compared with what, as grids in TOML.

    title = "Fewer bands, fewer channels"

    [common]                      # holds for every grid that says nothing else
    scene = "fields"
    seeds = [0, 1, 2]

    [[grid]]
    name = "pipelines"
    network = ["he", "cao"]
    bands = ["all", "pca"]
    components = "10:190:10"      # from, to, step; or a list
    alpha = [0, 0.5, 1.0]         # or ratio, macs, parameters, bytes, sparsity, layers
    layer_alpha = { last_dense = 1.2 }  # beside alpha, by kind of layer or by layer
    bits = ["none", "8,8,32"]     # and/or variant = ["none", "int8"]
    weights = "tensor"            # of the simulated bits: one scale a kernel, not a channel
    recipe = ["paper", "robust"]
    labelled = [5, 20, "all"]     # pixels a class
    mixup = ["recipe", 0]         # and every other option of training

A grid is every combination of the values of its keys. A study may contain impossible cells, such as
a reduction to more components than a scene has bands, where it says `impossible = "leave out"`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

from hsitf.errors import HsitfError, InputError, unknown
from hsitf.prune.thresholds import KINDS
from hsitf.sweep.record import PER_CHANNEL
from hsitf.sweep.training_keys import AS_RECIPE, TRAINING_KEYS, changes
from hsitf.train.recipes import RECIPES

SUFFIX = ".toml"
QUICK = "-quick"
# One study is a table that people read and a folder that a disk holds.
MAX_CELLS = 100_000
MAX_NUMBER = 10**15

MEASURES = ("ratio", "parameters", "macs", "bytes", "alpha", "sparsity")
# What leaves a network as it is.
_NO_PRUNING = {
    "ratio": 0.0,
    "alpha": 0.0,
    "sparsity": 0.0,
    "parameters": 1.0,
    "macs": 1.0,
    "bytes": 1.0,
}
# Keys of study files that were renamed, and what they are called today.
FORMER_KEYS = {
    "tuning_epochs": "fine_tuning_epochs",
    "most": "max_samples",
    "zeros": "sparsity",
}
_REFUSE, _LEAVE_OUT = "refuse", "leave out"
_ALL_BANDS, _NONE, _ALL_LABELS = "all", "none", "all"


@dataclass(frozen=True)
class PruningChoice:
    """How a cell is pruned; empty where it is not."""

    measure: str = ""
    target: float = 0.0
    layers: str = ""
    criterion: str = ""
    layer_alphas: str = ""


@dataclass(frozen=True)
class ParameterGrid:
    """Lists of values; every combination is a cell, see `record.CellSettings`.

    Attributes:
        epochs: Epochs by network; the key "" holds the default of all others.
        fine_tuning_epochs: The same of fine-tuning.
        leave_out_impossible: Whether impossible cells are left out rather than refused.
        guard: Pixels between the sets of a disjoint split, at least; None for the largest patch
            of the study, so that all its networks are judged on the same pixels.
        recipes: Recipes of training; a baseline has none.
        labelled: Labelled pixels a class, at most; 0 for all.
        epochs_factor: How many times the epochs a network is trained for, by labelled pixels a
            class: with few pixels, an epoch has few steps.
        trainings: Changes of the recipe, see `training_keys.changes`; "" for none.
        weights: Scales of simulated weights, "channel" or "tensor".
    """

    name: str
    scenes: tuple[str, ...]
    splits: tuple[str, ...]
    train: str
    networks: tuple[str, ...]
    reductions: tuple[str, ...]
    prunings: tuple[PruningChoice, ...]
    bits: tuple[str, ...]
    variants: tuple[str, ...]
    seeds: tuple[int, ...]
    schedule: str
    epochs: Mapping[str, int]
    fine_tuning_epochs: Mapping[str, int]
    max_samples: int
    leave_out_impossible: bool
    guard: int | None = None
    recipes: tuple[str, ...] = ("paper",)
    labelled: tuple[int, ...] = (0,)
    epochs_factor: Mapping[int, int] = field(default_factory=dict)
    trainings: tuple[str, ...] = ("",)
    weights: tuple[str, ...] = (PER_CHANNEL,)

    def epochs_of(self, network: str) -> int:
        """Epochs of a network's training; 0 for those of the schedule."""
        return self.epochs.get(network, self.epochs.get("", 0))

    def fine_tuning_epochs_of(self, network: str) -> int:
        """Epochs of a network's fine-tuning; 0 for as many as it was trained."""
        return self.fine_tuning_epochs.get(network, self.fine_tuning_epochs.get("", 0))

    @property
    def count(self) -> int:
        """Number of combinations, without making them."""
        quantizations = len(self.weights) * len(self.bits) + len(self.variants)
        lists = (self.scenes, self.splits, self.networks, self.reductions, self.prunings)
        more = (self.seeds, self.recipes, self.labelled, self.trainings)
        return math.prod(map(len, (*lists, *more))) * max(quantizations, 1)

    def combinations(
        self,
    ) -> Iterator[
        tuple[str, str, str, str, PruningChoice, tuple[str, str, str], int, str, int, str]
    ]:
        """Scene, split, network, reduction, pruning, (bits, scales of weights, variant), seed,
        recipe, labelled pixels a class and changes of the recipe of every cell.
        """
        # Without bits there are no scales.
        quantizations = [
            (bits, scales if bits else PER_CHANNEL, "")
            for scales in self.weights
            for bits in self.bits
        ]
        quantizations += [("", PER_CHANNEL, name) for name in self.variants]
        return product(
            self.scenes,
            self.splits,
            self.networks,
            self.reductions,
            self.prunings,
            dict.fromkeys(quantizations or [("", PER_CHANNEL, "")]),
            self.seeds,
            self.recipes,
            self.labelled,
            self.trainings,
        )


@dataclass(frozen=True)
class StudyFile:
    """A study file.

    Attributes:
        name: Its name.
        title: One line of text.
        grids: Its grids, or those that a user selected.
        source: The file as it was written.
        former_keys: Former keys that it uses.
        reference: Name of the grid that others are compared with; empty where none is.
        networks: Networks whose disjoint splits have one guard; empty for those of the grids.
    """

    name: str
    title: str
    grids: tuple[ParameterGrid, ...]
    source: str
    former_keys: tuple[str, ...] = ()
    reference: str = ""
    networks: tuple[str, ...] = ()


def networks_of_disjoint_splits(study: StudyFile) -> tuple[str, ...]:
    """The networks of a study that are judged on a disjoint split."""
    disjoint = [grid for grid in study.grids if "disjoint" in grid.splits]
    return tuple(dict.fromkeys(name for grid in disjoint for name in grid.networks))


def shipped_studies() -> list[str]:
    """Names of the studies that are part of hsitf, without the quick ones."""
    files = resources.files(__package__) / "studies"
    found = sorted(item.name.removesuffix(SUFFIX) for item in files.iterdir())
    return [name for name in found if not name.endswith((QUICK, ".py", "__pycache__"))]


def read_study_text(name: str, quick: bool) -> tuple[str, str]:
    """Name and text of a study: a shipped one by its name, or a file.

    Raises:
        InputError: There is no such study, or no quick size of it.
    """
    studies = resources.files(__package__) / "studies"
    sized = [one for one in shipped_studies() if (studies / f"{one}{QUICK}{SUFFIX}").is_file()]
    if name in shipped_studies() and (not quick or name in sized):
        name = name + QUICK * quick
        return name, (studies / f"{name}{SUFFIX}").read_text()
    path = Path(name)
    if path.suffix != SUFFIX and name not in shipped_studies():
        raise unknown("study", name, [*shipped_studies(), f"the path of a {SUFFIX} file"])
    if quick:
        raise InputError(
            "this study has no quick size",
            received=f"--quick with {name}",
            allowed=", ".join(sized),
            remedy="leave --quick out, or run a part with --grids, --networks and --splits",
        )
    if not path.is_file():
        raise InputError("no such study file", received=name, remedy="correct the path")
    try:
        return path.stem, path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no text", received="bytes that are not UTF-8") from error


def parse(name: str, text: str, scene: str | None = None) -> StudyFile:
    """Reads a study file.

    Args:
        name: Name of the study.
        text: Text of the TOML file.
        scene: Scene to use instead of the grids' own scenes.

    Raises:
        InputError: It is not valid TOML or not a valid study; all faults are listed.
    """
    faults: list[str] = []
    content = _toml(name, text)
    _unknown(content, {"title", "common", "grid", "reference"}, "the study", faults)
    title = content.get("title", "")
    if not isinstance(title, str) or not title:
        faults.append("the study has no title, a line of text")
    common, tables = content.get("common", {}), content.get("grid", [])
    if not isinstance(common, dict):
        faults.append("[common] is no table")
        common = {}
    former: set[str] = set()
    common = _renamed(common, "[common]", former, faults)
    _unknown(common, _KEYS - {"name"}, "[common]", faults)
    if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
        faults.append("there is no [[grid]]")
        tables = []
    grids = []
    for number, written in enumerate(tables, start=1):
        table = _renamed(written, f"grid {written.get('name', number)!r}", former, faults)
        _unknown(table, _KEYS, f"grid {table.get('name', number)!r}", faults)
        kept = {key: value for key, value in table.items() if key in _KEYS}
        grid = _GridReader(_merged(common, kept), f"grid {table.get('name', number)!r}", faults)
        grids.append(grid.grid(scene))
    names = [grid.name for grid in grids]
    faults += [
        f"two grids are called {one!r}" for one in sorted(set(names)) if names.count(one) > 1
    ]
    reference = content.get("reference", "")
    faults += _faults_of_reference(reference, grids)
    if faults:
        raise InputError(
            f"the study {name} is not valid:\n  " + "\n  ".join(faults) + "\n",
            remedy="correct these lines of the study file; docs/how-to/study.md lists the keys",
        )
    return StudyFile(name, title, tuple(grids), text, tuple(sorted(former)), reference)


def _faults_of_reference(reference: object, grids: Sequence[ParameterGrid]) -> list[str]:
    """What is wrong with the name of the grid that others are compared with."""
    if reference == "":
        return []
    names = [grid.name for grid in grids]
    if not isinstance(reference, str) or reference not in names:
        return [f"reference is {reference!r}; allowed: the name of a grid, {', '.join(names)}"]
    grid = grids[names.index(reference)]
    if len(grid.recipes) * len(grid.trainings) > 1:
        return [f"reference is {reference!r}, which trains in several ways; allowed: one way"]
    return []


def _toml(name: str, text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        content = tomllib.loads(text)
        _check_numbers(content)
        return content
    # Brackets within brackets without end exhaust the parser; numbers of thousands of digits are
    # refused by Python itself, in another way than faults of the text.
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the study {name} is no TOML", received=str(error), remedy="correct that line"
        ) from error


def _check_numbers(content: object) -> None:
    """Refuses whole numbers that floats do not hold, which no setting has.

    Raises:
        ValueError: There is one.
    """
    if isinstance(content, dict | list):
        for one in content.values() if isinstance(content, dict) else content:
            _check_numbers(one)
    elif isinstance(content, int) and abs(content) > MAX_NUMBER:
        raise ValueError("a whole number of more than 15 digits")


_KEYS = {
    "name",
    "scene",
    "split",
    "train",
    "network",
    "bands",
    "components",
    "criterion",
    "layers",
    "layer_alpha",
    *MEASURES,
    "bits",
    "weights",
    "variant",
    "seeds",
    "schedule",
    "epochs",
    "fine_tuning_epochs",
    "max_samples",
    "impossible",
    "guard",
    "recipe",
    "labelled",
    "splits",
    "epochs_factor",
    *TRAINING_KEYS,
}
# A grid with one of these keys inherits none of the others from [common].
_EXCLUSIVE = {*MEASURES, "layers", "layer_alpha"}


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    inherited = dict(common)
    if _EXCLUSIVE & set(own):
        inherited = {key: value for key, value in inherited.items() if key not in _EXCLUSIVE}
    return {**inherited, **own}


def _renamed(
    table: Mapping[str, Any], where: str, former: set[str], faults: list[str]
) -> dict[str, Any]:
    """A table with today's keys in place of former ones, which are added to `former`."""
    found = dict(table)
    for old in FORMER_KEYS.keys() & table.keys():
        new = FORMER_KEYS[old]
        if new in table:
            faults.append(f"{where}: {old} is the former name of {new}; give one of them")
        former.add(old)
        found[new] = found.pop(old)
    return found


def _unknown(table: Mapping[str, Any], known: set[str], where: str, faults: list[str]) -> None:
    faults += [f"{where}: {unknown('key', one, sorted(known))}" for one in set(table) - known]


class _GridReader:
    """Reads the keys of one grid and collects what is wrong with them."""

    def __init__(self, table: Mapping[str, Any], where: str, faults: list[str]) -> None:
        self._table, self._where, self._faults = table, where, faults

    def grid(self, scene: str | None) -> ParameterGrid:
        """The grid; where there are faults, anything that has its type."""
        table = self._table
        for key in ("name", "network"):
            if key not in table:
                self._fault(f"{key} is missing")
        epochs, tuning = self._epochs("epochs"), self._epochs("fine_tuning_epochs")
        impossible = self._one("impossible", str, _REFUSE)
        if impossible not in (_REFUSE, _LEAVE_OUT):
            self._fault(f"impossible is {impossible!r}; allowed: {_REFUSE!r} or {_LEAVE_OUT!r}")
        max_samples = self._one("max_samples", int, 0)
        if max_samples < 0:
            self._fault(f"max_samples is {max_samples}; allowed: 0 (all test pixels) or a number")
        schedule = self._one("schedule", str, "short")
        if schedule not in ("full", "short"):
            self._fault(f"schedule is {schedule!r}; allowed: 'full' or 'short'")
        train = table.get("train", "")
        if isinstance(train, bool) or not isinstance(train, str | int | float):
            self._fault(f"train is {train!r}; allowed: a share such as 0.65, or pixels a class")
        found = ParameterGrid(
            name=self._one("name", str, ""),
            scenes=(scene,) if scene else self._words("scene", ["fields"]),
            splits=self._words("split", ["disjoint"]),
            train=str(train),
            networks=self._words("network", []),
            reductions=self._reductions(),
            prunings=self._prunings(),
            bits=self._bits(),
            variants=tuple("" if name == _NONE else name for name in self._words("variant", [])),
            seeds=self._seeds(),
            schedule=schedule,
            epochs=epochs,
            fine_tuning_epochs=tuning,
            max_samples=max_samples,
            leave_out_impossible=impossible == _LEAVE_OUT,
            guard=self._guard(),
            recipes=self._recipes(),
            labelled=self._labelled(),
            epochs_factor=self._epochs_factor(),
            trainings=self._trainings(),
            weights=self._weights(),
        )
        if found.count > MAX_CELLS:
            self._fault(f"{found.count:,} combinations of values; allowed: {MAX_CELLS:,}")
        return found

    def _trainings(self) -> tuple[str, ...]:
        texts = {name: self._texts(name) for name in TRAINING_KEYS if name in self._table}
        count = math.prod(map(len, texts.values()))
        if count > MAX_CELLS:
            self._fault(f"{count:,} combinations of training options; allowed: {MAX_CELLS:,}")
            return ("",)
        found = product(*texts.values())
        return tuple(dict.fromkeys(changes(dict(zip(texts, one, strict=True))) for one in found))

    def _texts(self, name: str) -> list[str]:
        """Values of a training option as texts; empty for what the recipe has."""
        value = self._table[name]
        found = []
        for one in value if isinstance(value, list) else [value]:
            try:
                found.append("" if one == AS_RECIPE else TRAINING_KEYS[name].text(one))
            except ValueError as error:
                self._fault(f"{name} is {one!r}; allowed: {error}, or {AS_RECIPE!r}")
        return list(dict.fromkeys(found)) or [""]

    def _epochs_factor(self) -> dict[int, int]:
        value = self._table.get("epochs_factor", {})
        fine = isinstance(value, dict) and all(
            key.isdecimal() and isinstance(n, int) and not isinstance(n, bool) and n >= 1
            for key, n in value.items()
        )
        if not fine:
            self._fault(
                f"epochs_factor is {value!r}; allowed: a table of whole numbers by labelled "
                "pixels, such as {5 = 16, 20 = 4}"
            )
            return {}
        return {int(key): n for key, n in value.items()}

    def _seeds(self) -> tuple[int, ...]:
        if "splits" not in self._table:
            return tuple(int(seed) for seed in self._numbers("seeds", [0], whole=True))
        count = self._one("splits", int, 1)
        if "seeds" in self._table:
            self._fault("splits and seeds are given: splits = 5 is seeds = [0, 1, 2, 3, 4]")
        if not 1 <= count <= MAX_CELLS:
            self._fault(f"splits is {count}; allowed: 1 or more")
            return (0,)
        return tuple(range(count))

    def _recipes(self) -> tuple[str, ...]:
        found = self._words("recipe", ["paper"])
        for one in found:
            if one not in RECIPES:
                self._fault(str(unknown("recipe", one, RECIPES)))
        return found

    def _labelled(self) -> tuple[int, ...]:
        value = self._table.get("labelled", _ALL_LABELS)
        found = value if isinstance(value, list) else [value]
        counts = [0 if one == _ALL_LABELS else one for one in found]
        for one, count in zip(found, counts, strict=True):
            whole = isinstance(count, int) and not isinstance(count, bool)
            if not whole or count < 0 or (count == 0 and one != _ALL_LABELS):
                self._fault(f"labelled has {one!r}; allowed: 1 or more pixels a class, or 'all'")
                return (0,)
        return tuple(dict.fromkeys(counts)) or (0,)

    def _guard(self) -> int | None:
        if "guard" not in self._table:
            return None
        guard = self._one("guard", int, 0)
        if guard < 0:
            self._fault(f"guard is {guard}; allowed: 0 or more pixels")
        return int(guard)

    def _fault(self, text: str) -> None:
        self._faults.append(f"{self._where}: {text}")

    def _one(self, key: str, kind: type, default: Any) -> Any:
        value = self._table.get(key, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            self._fault(f"{key} is {value!r}; allowed: one {_NAMES[kind]}")
            return default
        return value

    def _words(self, key: str, default: list[str]) -> tuple[str, ...]:
        value = self._table.get(key, default)
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
            self._fault(f"{key} is {value!r}; allowed: a text or a list of texts")
            return tuple(default)
        return tuple(dict.fromkeys(found))

    def _numbers(self, key: str, default: list[float], whole: bool = False) -> tuple[float, ...]:
        value = self._table.get(key, default)
        try:
            found = _spread(value)
        except ValueError:
            found = [math.nan]
        if not found or any(not math.isfinite(n) or (whole and n != int(n)) for n in found):
            kind = "whole numbers" if whole else "numbers"
            self._fault(f"{key} is {value!r}; allowed: {kind}, one, a list, or 'from:to:step'")
            return tuple(default)
        return tuple(dict.fromkeys(found))

    def _epochs(self, key: str) -> dict[str, int]:
        value = self._table.get(key)
        if value is None:
            return {}
        found = value if isinstance(value, dict) else {"": value}
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in found.values()):
            self._fault(f"{key} is {value!r}; allowed: 1 or more, or a table of such by network")
            return {}
        return found

    def _reductions(self) -> tuple[str, ...]:
        from hsitf.bands import parse as parsed

        counts = self._numbers("components", [], whole=True) if "components" in self._table else ()
        found: list[str] = []
        unused = bool(counts)
        techniques = self._words("bands", [_ALL_BANDS])
        if len(techniques) * len(counts) > MAX_CELLS:
            self._fault(f"{len(techniques) * len(counts):,} reductions; allowed: {MAX_CELLS:,}")
            return ("",)
        for text in techniques:
            named = text in (_ALL_BANDS, "") or ":" in text
            unused &= named
            wanted = [text] if named else [f"{text}:{int(count)}" for count in counts]
            if not wanted:
                self._fault(f"bands {text!r} needs components, such as components = [10, 30]")
            for one in wanted:
                if one in (_ALL_BANDS, ""):
                    found.append("")
                    continue
                try:
                    found.append(parsed(one).spec)
                except HsitfError as error:
                    self._fault(str(error))
                    break
        if unused:
            self._fault("components are given, but no technique in bands takes them")
        return tuple(dict.fromkeys(found))

    def _prunings(self) -> tuple[PruningChoice, ...]:
        named = [key for key in (*MEASURES, "layers") if key in self._table]
        if "layer_alpha" in self._table and named != ["alpha"]:
            self._fault("layer_alpha is given without alpha, which all other layers have")
        if not named:
            if "criterion" in self._table:
                self._fault("a criterion, but nothing to prune to, such as ratio = [0.2, 0.4]")
            return (PruningChoice(),)
        if len(named) > 1:
            self._fault(f"{' and '.join(named)} are given; allowed: one of them")
            return (PruningChoice(),)
        measure = named[0]
        criteria = ("",) if measure in ("alpha", "sparsity") else self._words("criterion", ["l2"])
        if measure in ("alpha", "sparsity") and "criterion" in self._table:
            self._fault(f"{measure} takes no criterion: the smallest weights are zeroed")
        if measure == "layers":
            layers = self._layers()
            return tuple(PruningChoice("ratio", 0.0, one, c) for c in criteria for one in layers)
        if "layer_alpha" in self._table:
            # An alpha of 0 leaves all layers as they are but those named.
            return tuple(
                PruningChoice(measure, target, layer_alphas=one)
                for one in self._layer_alphas()
                for target in self._numbers(measure, [])
            )
        return tuple(
            PruningChoice()
            if target == _NO_PRUNING[measure]
            else PruningChoice(measure, target, "", criterion)
            for criterion in criteria
            for target in self._numbers(measure, [])
        )

    def _layers(self) -> tuple[str, ...]:
        value = self._table["layers"]
        tables = (value if isinstance(value, list) else [value]) or [value]
        for table in tables:
            fine = isinstance(table, dict) and table
            if not fine or not all(_is_share(ratio) for ratio in table.values()):
                self._fault(
                    f"layers has {table!r}; allowed: tables of ratios by layer or pattern, such "
                    "as {'conv1' = 0.2, 'block*_conv2' = 0.4}, from 0 to below 1"
                )
                return ()
        return tuple(
            ";".join(f"{name}={ratio:g}" for name, ratio in table.items()) for table in tables
        )

    def _layer_alphas(self) -> tuple[str, ...]:
        value = self._table["layer_alpha"]
        tables = (value if isinstance(value, list) else [value]) or [value]
        for table in tables:
            fine = isinstance(table, dict) and table
            if not fine or not all(_is_alpha(alpha) for alpha in table.values()):
                self._fault(
                    f"layer_alpha has {table!r}; allowed: tables of alphas from 0, in standard "
                    f"deviations, by kind of layer ({', '.join(KINDS)}) or by layer"
                )
                return ()
        return tuple(
            ";".join(f"{name}={alpha:g}" for name, alpha in table.items()) for table in tables
        )

    def _weights(self) -> tuple[str, ...]:
        from hsitf.quantize.schemes import GRANULARITIES

        found = self._words("weights", [PER_CHANNEL])
        for one in found:
            if one not in GRANULARITIES:
                self._fault(f"weights is {one!r}; allowed: {' or '.join(GRANULARITIES)}")
        return found

    def _bits(self) -> tuple[str, ...]:
        from hsitf.quantize.schemes import Bits

        found = []
        for text in self._words("bits", []):
            try:
                found.append("" if text == _NONE else str(Bits.parse(text)))
            except HsitfError as error:
                self._fault(str(error))
        return tuple(dict.fromkeys(found))


_NAMES = {str: "text", int: "whole number"}


def _spread(value: object) -> list[float]:
    """Numbers as a study file writes them."""
    if isinstance(value, str):
        low, high, step = (float(part) for part in value.split(":"))
        if not (step > 0 and high >= low and (high - low) / step < MAX_CELLS):
            raise ValueError
        # Rounded, so that 0.1 is added as people add it.
        return [round(low + i * step, 9) for i in range(int((high - low) / step + 1e-9) + 1)]
    values: list[Any] = value if isinstance(value, list) else [value]
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in values):
        raise ValueError
    return [float(one) for one in values]


def _is_alpha(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1
