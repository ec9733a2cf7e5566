"""Many random networks, and a table of what was found."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
from network_checks import Outcome, check_network
from random_models import random_network

from hsitf.operators import find

# Of so many networks, one becomes an int8 file, which takes as long as all the rest.
INT8_EVERY = 10
CHECKS = ("thinned", "lowered", "tiled", "int8")


@dataclass
class Findings:
    """What was found in a campaign.

    Attributes:
        seed: Seed of the networks.
        tries: By check, the number of tries.
        refused: By check, how often hsitf refused, by the reason.
        faults: What is wrong, with the network.
        used: Names of all layer types and operations in the networks.
        notes: By check, the measurements.
    """

    seed: int
    tries: Counter[str] = field(default_factory=Counter)
    refused: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    faults: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    notes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, network: str, outcome: Outcome) -> None:
        """Counts an outcome."""
        self.tries[outcome.check] += 1
        if outcome.refused:
            self.refused[outcome.check][outcome.refused] += 1
        elif outcome.fault:
            self.faults.append(f"{outcome.check}: {outcome.fault} [{network}]")
        else:
            self.notes[outcome.check].append(outcome.note)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}", f"{'check':10}{'tries':>8}{'refused':>10}{'wrong':>8}"]
        for check in CHECKS:
            refused = sum(self.refused[check].values())
            wrong = sum(fault.startswith(check) for fault in self.faults)
            lines.append(f"{check:10}{self.tries[check]:8}{refused:10}{wrong:8}")
        for check in CHECKS:
            for reason, count in self.refused[check].most_common():
                lines.append(f"  {check} refused {count} times: {reason}")
        return "\n".join([*lines, *self.faults])


def run(
    count: int, seed: int, first: int = 0, progress: Callable[[str], None] | None = None
) -> Findings:
    """Makes and checks random networks.

    Args:
        count: Number of networks.
        seed: Seed of all of them.
        first: Number of the first one.
        progress: Receives each fault when it is found.
    """
    found = Findings(seed)
    # Criteria that cannot tell channels apart say so, and Keras says what softmax of one number is.
    warnings.simplefilter("ignore", UserWarning)
    for number in range(first, first + count):
        network = random_network(seed, number)
        found.used |= {
            type(operation).__name__
            for operation in network.model.operations
            if find(operation) is not None
        }
        for outcome in check_network(network, number % INT8_EVERY == 0):
            found.add(str(network), outcome)
            if outcome.fault and progress is not None:
                progress(found.faults[-1])
        keras.backend.clear_session()
    return found
