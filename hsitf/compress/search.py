"""The search: a path of cuts, each fine-tuned, and steps between the last good and the first bad.

A path is cheap: each network is cut a little and starts from what the one before has learned. Every
point on it is a candidate. The path ends where two networks in a row lose too much; between the
last good and the first bad one, the search then halves the distance. Because candidates do not
depend on the bounds but only on how far is cut, a second search with other bounds finds most of
them done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras

from hsitf.compress.bounds import CompressionBounds
from hsitf.compress.candidate_builder import CandidateBuilder
from hsitf.compress.proposals import CutContext, best_cut
from hsitf.compress.record import ORIGINAL, CompressionCandidate, Step
from hsitf.compress.schedule import SearchClock, path_shares
from hsitf.errors import InputError, VerificationError
from hsitf.metrics import format_drop
from hsitf.prune.plans import compose
from hsitf.seeding import seeded

# Points between the last good and the first bad network.
_BISECTIONS = 2
# Networks in a row that lose too much, after which a path ends.
_PATIENCE = 2


@dataclass(frozen=True, eq=False)
class Search:
    """A search for candidates.

    Attributes:
        builder: What candidates are made and examined with.
        cuts: What cuts are proposed with.
        bounds: What the result has to meet.
        clock: How long it may go on.
        epochs: Epochs of fine-tuning of a candidate.
        rates: Learning rates that the first cut of a path tries.
    """

    builder: CandidateBuilder
    cuts: CutContext
    bounds: CompressionBounds
    clock: SearchClock
    epochs: int
    rates: tuple[float, ...]

    def candidates(self, original: keras.Model) -> Iterator[CompressionCandidate]:
        """All candidates, the original first.

        Args:
            original: The network as it was trained.

        Raises:
            VerificationError: An arena is bounded, and the file of the original has none.
            DataError: A candidate's files are damaged.
        """
        first = self._original(original)
        yield first
        if self._is_far_enough(first):
            return
        good, bad = (first if self.meets_accuracy(first) else None), None
        current, misses = first, 0
        for share in path_shares():
            found = self._cut(current, share)
            if found is None:
                break
            yield found
            current = found
            if self.meets_accuracy(found):
                good, bad, misses = found, None, 0
            else:
                bad, misses = bad or found, misses + 1
            if misses == _PATIENCE or self._is_far_enough(found):
                break
        if self.bounds.max_drop is None or good is None or bad is None:
            return
        for _ in range(_BISECTIONS):
            between = self._cut(good, (good.share * bad.share) ** 0.5)
            if between is None:
                return
            yield between
            good, bad = (between, bad) if self.meets_accuracy(between) else (good, between)

    def meets_accuracy(self, one: CompressionCandidate) -> bool:
        """Whether a candidate is expected to lose no more than it may."""
        drop = self.bounds.max_drop
        return drop is None or one.fidelity.expected_drop <= drop

    def _is_far_enough(self, one: CompressionCandidate) -> bool:
        """Whether smaller networks would only lose more accuracy for nothing."""
        return self.bounds.max_drop is None and not self.bounds.excess(one.costs)

    def _original(self, network: keras.Model) -> CompressionCandidate:
        found = self.builder.recall(ORIGINAL)
        if found is None:
            self.builder.progress.say("the original as it is")
            step = Step(ORIGINAL, "", "original", 1.0)
            found = self.builder.finish(step, network, None, rates=())
        if self.builder.arena and "arena" not in found.costs:
            # Nor will what is cut from it, which has the same operators.
            raise VerificationError(
                "the file does not run in TensorFlow Lite Micro, so it has no arena",
                received=f"a {self.builder.files.variant.name} file",
                remedy="name another --variant, such as int8, or leave --max-arena out",
            )
        if "target_cost" in self.bounds.costs and "target_cost" not in found.costs:
            raise VerificationError(
                f"the file has no cost on {self.bounds.target}",
                received=f"a {self.builder.files.variant.name} file",
                remedy="name another --target, or leave --max-target-cost out",
            )
        return found

    def _cut(self, parent: CompressionCandidate, share: float) -> CompressionCandidate | None:
        """A candidate cut from another one; None where there is no time, or nothing left to cut."""
        files, progress = self.builder.files, self.builder.progress
        key = f"cut-{share:.4f}"
        if found := self.builder.recall(key):
            return found
        rates = self._rates(parent)
        if not self.clock.allows(share, len(rates) * self.epochs):
            progress.say("no time is left for another candidate")
            return None
        progress.say(f"cutting to {share:.1%} of the {self.cuts.measure}")
        # The seed of a copied dropout is drawn when it is built.
        with seeded(self.builder.plan.seed):
            network = files.network(parent)
            try:
                cut = best_cut(network, share, self.cuts)
            except InputError as error:
                progress.say(str(error))
                return None
        before = files.plan(parent)
        plan = compose(before, cut.plan) if before else cut.plan
        step = Step(key, parent.key, "cut", share, cut.criterion, cut.allocation, cut.divergence)
        done = self.builder.finish(step, cut.network, plan, rates=rates)
        progress.say(format_candidate(done))
        return done

    def _rates(self, parent: CompressionCandidate) -> tuple[float, ...]:
        """Learning rates of a cut: on a path, that of its first cut, which tries several.

        A network that learned with a small rate is thrown far back by a large one, and one that has
        lost much does not recover by a small one: no share of the recipe's rate suits all.
        """
        if parent.history:
            return (parent.history[0].learning_rate,)
        return self.rates


def format_candidate(one: CompressionCandidate) -> str:
    """A line of what a candidate is like."""
    found = one.fidelity
    agreement = "" if found.agreement is None else f", {found.agreement:.1%} of unlabelled alike"
    how = f" ({one.step.criterion}, {one.step.allocation})" if one.step.criterion else ""
    return (
        f"{one.key}{how}: {one.costs['bytes']:,.0f} bytes, {one.costs['latency_ms']:.3f} ms, "
        f"{format_drop(found.drop.points)} in validation{agreement}, "
        f"{found.expected_drop:+.2f} expected, {one.seconds:.0f} s"
    )
