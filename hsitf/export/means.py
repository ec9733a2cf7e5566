"""Integer files that keep their accuracy: one means after the other until the loss is bearable.

First the converter's own file; then what costs nothing in use: biases corrected, channels
equalized, other ranges; then activations of 16 bits in the operators whose rounding costs most.
What is chosen is chosen on validation pixels; the test pixels judge the file afterwards as they
judge any other.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsitf import contents
from hsitf.errors import VerificationError
from hsitf.progress import Progress
from hsitf.quantize import mixed
from hsitf.quantize.corrected import correct
from hsitf.quantize.mixed import Operator, Recipe
from hsitf.quantize.observed import observe
from hsitf.quantize.ranges import Histogram
from hsitf.quantize.schemes import Floats
from hsitf.quantize.sensitivity import decibels

# Patches on which operators are put in order; noise needs fewer than ranges.
_SENSING = 64
# A file is written for each, which takes seconds where they are many: `mou` has 2,000.
MOST_WIDENED = 256
# What a 16-bit recipe can widen: these have 16-bit kernels in every interpreter.
_WIDENED = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "LOGISTIC"}
    | {"MEAN", "MUL", "SUB", "TANH"}
)

# As records say it.
EQUALIZED = "channels equalized"
CORRECTED = "biases corrected"

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
class Form:
    """A network of floats that integer files are made of.

    Attributes:
        means: What was done to it, in words.
        source: Its float file.
        plain: Makes the converter's own integer file of it; not tried where None.
    """

    means: tuple[str, ...]
    source: Path
    plain: Convert | None


@dataclass(frozen=True, eq=False)
class Bench:
    """What attempts are made with.

    Attributes:
        folder: To put them in.
        own: What the converter's own files take, in words.
        forms: The network, and what else computes the same; made when they are needed.
        calibration: What the file takes, (n, ...) float32.
        methods: What may choose ranges.
        corrections: Whether biases are corrected: what to try, in order.
        judge: Points of overall accuracy that a file loses on validation pixels.
        bound: How many it may.
        progress: Told of every attempt.
    """

    folder: Path
    own: tuple[str, ...]
    forms: Iterable[Form]
    calibration: Floats
    methods: Sequence[str]
    corrections: Sequence[bool]
    judge: Judge
    bound: float
    progress: Progress


def attempts(bench: Bench) -> Iterator[Attempt]:
    """Integer files that keep the bound on validation pixels, the simplest first.

    Where none does, the best one: what judges it afterwards says what is wrong with it.

    Raises:
        VerificationError: No file is integer throughout.
    """
    made: list[Attempt] = []
    for attempt in _all(bench):
        made.append(attempt)
        told = ", ".join(attempt.means) or "the converter's own ranges"
        bench.progress.say(f"int8 with {told}: {attempt.drop:+.2f} points lost in validation")
        if attempt.drop <= bench.bound:
            yield attempt
    if not made:
        raise VerificationError(
            "no integer file can be made of this network with ranges by choice",
            received="operators that ai-edge-quantizer leaves in floats",
            remedy="leave --calibration out",
        )
    if not any(attempt.drop <= bench.bound for attempt in made):
        yield min(made, key=lambda attempt: attempt.drop)


def _all(bench: Bench) -> Iterator[Attempt]:
    forms = []
    for number, form in enumerate(bench.forms):
        forms.append(form)
        if form.plain is None:
            continue
        plain = bench.folder / f"plain{number}.tflite"
        form.plain(plain)
        for correction in bench.corrections:
            yield _judged(bench, form, plain, bench.own, correction)
    orders = []
    for form in forms:
        seen = observe(form.source, bench.calibration)
        first = bench.corrections[0]
        known = {name: _attempt(bench, form, seen, Recipe(name), first) for name in bench.methods}
        found = {name: attempt for name, attempt in known.items() if attempt is not None}
        if not found:
            bench.progress.say("the network has operators that no recipe makes integer")
            return
        best, *others = sorted(found, key=lambda name: found[name].drop)
        orders.append((form, seen, best, found[best].drop))
        yield found[best]
        yield from (found[name] for name in others)
        for correction in bench.corrections[1:]:
            mended = _attempt(bench, form, seen, Recipe(best), correction)
            if mended is not None:
                yield mended
    form, seen, best, _ = min(orders, key=lambda order: order[-1])
    yield from _widened(bench, form, seen, best)


def _widened(
    bench: Bench, form: Form, seen: Mapping[str, Histogram], method: str
) -> Iterator[Attempt]:
    """More and more operators of 16 bits until they suffice, then as few as do."""
    candidates = [one for one in mixed.operators(form.source) if one.kind in _WIDENED]
    if len(candidates) > MOST_WIDENED:
        bench.progress.say(
            f"16-bit activations are not tried: {len(candidates)} operators are too many to try "
            "each by itself"
        )
        return
    order = _costliest(bench, form, seen, candidates)
    found: dict[int, Attempt] = {}

    def suffices(count: int) -> bool:
        if count not in found:
            wide = tuple(operator.output for operator in order[:count])
            attempt = _attempt(
                bench, form, seen, Recipe(method, wide), bench.corrections[0], order[:count]
            )
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
    form: Form,
    seen: Mapping[str, Histogram],
    recipe: Recipe,
    correction: bool,
    wide: Sequence[Operator] = (),
) -> Attempt | None:
    """A file of a recipe, judged; None where it is not integer throughout."""
    path = bench.folder / f"{recipe.method}-{len(recipe.wide)}.tflite"
    mixed.write(form.source, seen, recipe, path)
    if contents.tflite(path).integer_share < 1:
        return None
    means = [f"ranges by {recipe.method}"]
    if wide:
        names = ", ".join(operator.name for operator in wide)
        means.append(
            f"16-bit activations in {len(wide)} operator{'s' if len(wide) > 1 else ''}: {names}"
        )
    return _judged(bench, form, path, means, correction)


def _judged(
    bench: Bench, form: Form, made: Path, means: Sequence[str], correction: bool
) -> Attempt:
    """An integer file under a name of its own, its biases corrected or not, judged."""
    number = len(list(bench.folder.iterdir()))
    path = bench.folder / f"{made.stem}-{number}.tflite"
    told = [*form.means, *means]
    if not correction:
        shutil.copyfile(made, path)
    elif correct(form.source, made, bench.calibration, path, bench.progress):
        told.append(CORRECTED)
    return Attempt(tuple(told), bench.judge(path), path)


def _costliest(
    bench: Bench, form: Form, seen: Mapping[str, Histogram], found: Sequence[Operator]
) -> list[Operator]:
    """The operators that can be widened, those first whose rounding alone costs logits most."""
    patches = bench.calibration[:_SENSING]
    expected = mixed.logits(form.source, patches)
    signal = float((expected.astype(np.float64) ** 2).sum())
    bench.progress.start("finding what rounding costs most", len(found))
    path = bench.folder / "alone.tflite"
    costs = {}
    for operator in found:
        mixed.write(form.source, seen, Recipe(only=(operator.output,)), path)
        noise = (mixed.logits(path, patches) - expected).astype(np.float64)
        costs[operator] = decibels(signal, float((noise**2).sum()))
        bench.progress.advance(1, f"{operator.name} {costs[operator]:.1f} dB")
    return sorted(found, key=lambda operator: costs[operator])
