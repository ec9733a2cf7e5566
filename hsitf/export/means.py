"""Integer files that keep their accuracy: one means after the other until the loss is bearable.

First the converter's own file; then other ranges; then activations of 16 bits in the operators
whose rounding costs most. What is chosen is chosen on validation pixels; the test pixels judge
the file afterwards as they judge any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsitf import contents
from hsitf.progress import Progress
from hsitf.quantize import mixed
from hsitf.quantize.mixed import Operator, Recipe
from hsitf.quantize.observed import observe
from hsitf.quantize.ranges import Histogram
from hsitf.quantize.schemes import Floats
from hsitf.quantize.sensitivity import decibels

# Patches on which operators are put in order; noise needs fewer than ranges.
_SENSING = 64
# What a 16-bit recipe can widen: these have 16-bit kernels in every interpreter.
_WIDENED = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "LOGISTIC"}
    | {"MEAN", "MUL", "SUB", "TANH"}
)

Judge = Callable[[Path], float]
Convert = Callable[[Path], None]


@dataclass(frozen=True)
class Attempt:
    """An integer file.

    Attributes:
        means: What it took beyond the converter's own, in words; nothing where nothing.
        drop: Points of overall accuracy that it loses on validation pixels.
        file: Where it lies.
    """

    means: tuple[str, ...]
    drop: float
    file: Path


@dataclass(frozen=True, eq=False)
class Bench:
    """What attempts are made with.

    Attributes:
        folder: To put them in.
        source: The float file of the same network, with the same inputs.
        plain: Makes the converter's own integer file; not tried where None.
        calibration: What the file takes, (n, ...) float32.
        methods: What may choose ranges.
        judge: Points of overall accuracy that a file loses on validation pixels.
        bound: How many it may.
        progress: Told of every attempt.
    """

    folder: Path
    source: Path
    plain: Convert | None
    calibration: Floats
    methods: Sequence[str]
    judge: Judge
    bound: float
    progress: Progress


def attempts(bench: Bench) -> Iterator[Attempt]:
    """Integer files that keep the bound on validation pixels, the simplest first.

    Where none does, the best one: what judges it afterwards says what is wrong with it.
    """
    made: list[Attempt] = []
    for attempt in _all(bench):
        made.append(attempt)
        told = ", ".join(attempt.means) or "the converter's own ranges"
        bench.progress.say(f"int8 with {told}: {attempt.drop:+.2f} points lost in validation")
        if attempt.drop <= bench.bound:
            yield attempt
    if not any(attempt.drop <= bench.bound for attempt in made):
        yield min(made, key=lambda attempt: attempt.drop)


def _all(bench: Bench) -> Iterator[Attempt]:
    if bench.plain is not None:
        plain = bench.folder / "plain.tflite"
        bench.plain(plain)
        yield Attempt((), bench.judge(plain), plain)
    seen = observe(bench.source, bench.calibration)
    by_method = {name: _attempt(bench, seen, Recipe(name)) for name in bench.methods}
    known = {name: attempt for name, attempt in by_method.items() if attempt is not None}
    if not known:
        bench.progress.say("the network has operators that no recipe makes integer")
        return
    best, *others = sorted(known, key=lambda name: known[name].drop)
    yield known[best]
    yield from (known[name] for name in others)
    order = _costliest(bench, seen)
    yield from _widened(bench, seen, best, order)


def _widened(
    bench: Bench, seen: Mapping[str, Histogram], method: str, order: Sequence[Operator]
) -> Iterator[Attempt]:
    """More and more operators of 16 bits until they suffice, then as few as do."""
    found: dict[int, Attempt] = {}

    def suffices(count: int) -> bool:
        if count not in found:
            wide = tuple(operator.output for operator in order[:count])
            attempt = _attempt(bench, seen, Recipe(method, wide), order[:count])
            # An operator that the recipe leaves in floats is no way out.
            if attempt is None:
                return False
            found[count] = attempt
        return found[count].drop <= bench.bound

    count = 1
    while count < len(order) and not suffices(count):
        count *= 2
    few, enough = count // 2, min(count, len(order))
    if suffices(enough):
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if suffices(middle) else (middle, enough)
    # The fewest that suffice first; where they fail the test, more of them.
    yield from (found[count] for count in sorted(found) if count >= enough)


def _attempt(
    bench: Bench,
    seen: Mapping[str, Histogram],
    recipe: Recipe,
    wide: Sequence[Operator] = (),
) -> Attempt | None:
    """A file of a recipe, judged; None where it is not integer throughout."""
    path = bench.folder / f"{recipe.method}-{len(recipe.wide)}.tflite"
    mixed.write(bench.source, seen, recipe, path)
    if contents.tflite(path).integer_share < 1:
        return None
    means = [f"ranges by {recipe.method}"]
    if wide:
        names = ", ".join(operator.name for operator in wide)
        means.append(
            f"16-bit activations in {len(wide)} operator{'s' if len(wide) > 1 else ''}: {names}"
        )
    return Attempt(tuple(means), bench.judge(path), path)


def _costliest(bench: Bench, seen: Mapping[str, Histogram]) -> list[Operator]:
    """The operators that can be widened, those first whose rounding alone costs logits most."""
    patches = bench.calibration[:_SENSING]
    expected = mixed.logits(bench.source, patches)
    signal = float((expected.astype(np.float64) ** 2).sum())
    found = [one for one in mixed.operators(bench.source) if one.kind in _WIDENED]
    bench.progress.start("finding what rounding costs most", len(found))
    path = bench.folder / "alone.tflite"
    costs = {}
    for operator in found:
        mixed.write(bench.source, seen, Recipe(only=(operator.output,)), path)
        noise = (mixed.logits(path, patches) - expected).astype(np.float64)
        costs[operator] = decibels(signal, float((noise**2).sum()))
        bench.progress.advance(1, f"{operator.name} {costs[operator]:.1f} dB")
    return sorted(found, key=lambda operator: costs[operator])
