"""Claims of the literature as data, and what a study says about them.

Each file of `papers/` holds one paper: its protocol and its claims. A claim that does not hold gets
a reason: one that is written beside the claim, or else the first difference between the study and
the paper's protocol.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from functools import cache, partial
from importlib.resources import files
from typing import Any, get_type_hints

from hsitf.errors import InputError
from hsitf.literature.checks import CHECKS, Finding
from hsitf.literature.means import StudyMeans
from hsitf.sweep.record import StudyResults
from hsitf.zoo import BASELINES

PAPERS = "papers"
HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "not measured"

# Why a claim does not hold. The first five are written beside a claim; the others follow from what
# differs between the study and the paper's protocol, in this order.
REASONS = {
    "gain": "obstacle gone",
    "network": "another network",
    "method": "another method",
    "reference": "a higher reference",
    "paper": "the paper contradicts itself",
    "scene": "another scene",
    "split": "another split",
    "schedule": "shorter schedule",
    "open": "not explained",
}
_WRITTEN = ("gain", "network", "method", "reference", "paper")
# Of these, what was found out on the paper's own scene and split, and may not be so on another.
_OF_THE_PROTOCOL = ("method", "reference")

# Keys of a claim that are text; all others are arguments of its check.
_TEXTS = ("topic", "text", "place", "value", "criterion", "check")
_OPTIONAL_TEXTS = ("scene", "reason", "why")


@dataclass(frozen=True)
class Paper:
    """A paper and the protocol of its experiments.

    Attributes:
        name: Short name.
        title: Authors or subject, and year.
        scene: Name of the scene.
        split: Kind of the split.
        runs: Number of runs that its figures are means of.
        default_epochs: Epochs of training.
        epochs: Epochs of networks with others.
        accuracies: Overall accuracies of networks with all bands and weights, in percent.
        note: What a reader has to know beside; empty for nothing.
    """

    name: str
    title: str
    scene: str
    split: str
    runs: int
    default_epochs: int
    epochs: dict[str, int] = field(default_factory=dict)
    accuracies: dict[str, float] = field(default_factory=dict)
    note: str = ""

    def epochs_of(self, network: str) -> int:
        """Epochs of a network's training."""
        return self.epochs.get(network, self.default_epochs)


@dataclass(frozen=True)
class PaperClaim:
    """A statement of the literature.

    Attributes:
        paper: The paper that states it.
        topic: Topic of the claim.
        text: The claim in a sentence.
        place: Where the paper states it: sections, figures, tables.
        value: The literature's own figures.
        criterion: How it is checked on the cells of a study.
        check: The check with its arguments: returns the finding, or None where the study lacks the
            cells that it needs.
        scene: The only scene whose cells are compared; empty for the one with most cells.
        reason: Known reason of its failure, a key of `REASONS`; empty where none is known.
        why: That reason in a sentence.
    """

    paper: Paper
    topic: str
    text: str
    place: str
    value: str
    criterion: str
    check: partial[Finding | None]
    scene: str = ""
    reason: str = ""
    why: str = ""

    @property
    def networks(self) -> tuple[str, ...]:
        """Networks that the claim is about; empty where it names none."""
        arguments = self.check.keywords
        named = arguments.get("networks") or [arguments.get("network")]
        return tuple(name for name in named if name)


@dataclass(frozen=True)
class CheckedClaim:
    """A statement and whether it holds on a scene.

    Attributes:
        claim: The claim.
        verdict: `HOLDS`, `FAILS` or `UNKNOWN`.
        measured: The measured numbers.
        reason: Why it does not hold, a key of `REASONS`; empty for other verdicts.
        why: That reason in a sentence.
    """

    claim: PaperClaim
    verdict: str
    measured: str
    reason: str = ""
    why: str = ""


def check_claims(
    results: StudyResults, scene: str = "", split: str = ""
) -> tuple[CheckedClaim, ...]:
    """Compares the shipped claims with the results of a study.

    Args:
        results: Results of any study; `compression` has the most measurements.
        scene: Name in the settings; the scene of the study's first cell where empty.
        split: Name in the settings; the split that most cells have where empty.
    """
    whole = StudyMeans.of(results, scene, split)
    measured = {cell.settings.scene for cell in results.study.cells}
    by_scene = {
        record.name: StudyMeans.of(results, name)
        for name, record in results.study.scenes.items()
        if name in measured
    }
    return tuple(
        _checked(claim, by_scene.get(claim.scene) if claim.scene else whole)
        for claim in load_claims()
    )


def _checked(claim: PaperClaim, study: StudyMeans | None) -> CheckedClaim:
    finding = None if study is None else claim.check(study)
    if study is None or finding is None:
        return CheckedClaim(claim, UNKNOWN, "")
    if finding.holds:
        return CheckedClaim(claim, HOLDS, finding.measured)
    reason, why = next(_differences(claim, study, finding), ("open", ""))
    if claim.reason and not (claim.reason in _OF_THE_PROTOCOL and reason in ("scene", "split")):
        reason, why = claim.reason, claim.why
    return CheckedClaim(claim, FAILS, finding.measured, reason, why)


def _differences(
    claim: PaperClaim, study: StudyMeans, finding: Finding
) -> Iterator[tuple[str, str]]:
    """What differs between a study and the protocol of a claim's paper: keys of `REASONS`.

    A shorter schedule counts where all networks that the claim does not hold for had one, as far
    as the check tells which these are.
    """
    paper, scene = claim.paper, claim.scene or claim.paper.scene
    if study.scene != scene:
        yield "scene", f"{study.scene}, not {scene}"
    if study.split != paper.split:
        yield "split", f"a {study.split} split, not a {paper.split} one"
    references = study.references
    failing = {name.partition(" ")[0] for name in finding.outside} & set(references)
    named = [name for name in failing or claim.networks or references if name in references]
    shorter = [
        f"{name} {references[name].settings.epochs} of {paper.epochs_of(name)}"
        for name in sorted(named)
        if 0 < references[name].settings.epochs < paper.epochs_of(name)
        and references[name].values["parameters"].mean
        and "train_seconds" in references[name].values
        and name not in BASELINES
    ]
    if shorter and (len(shorter) == len(failing) or not failing):
        yield "schedule", f"epochs of {', '.join(shorter)}"


@cache
def load_claims() -> tuple[PaperClaim, ...]:
    """The shipped claims, paper by paper, in the order of their files."""
    found = sorted(files(__package__).joinpath(PAPERS).iterdir(), key=lambda item: item.name)
    texts = [item.read_text(encoding="utf-8") for item in found if item.name.endswith(".toml")]
    return tuple(claim for text in texts for claim in read_claims(text))


def read_claims(text: str) -> tuple[PaperClaim, ...]:
    """Reads the claims of a paper from TOML: a `[paper]` table and one `[[claim]]` table each.

    Args:
        text: TOML text. `[paper]` has the fields of `Paper`. Each claim has the keys topic, text,
            place, value, criterion and check, the name of a check in `CHECKS`; scene, reason and
            why where it needs them; its other keys are the arguments of that check.

    Raises:
        InputError: The text is not valid TOML, the paper or a claim lacks a key, a claim has an
            unknown reason, names an unknown check, or gives its check an argument that it does not
            take.
    """
    paper, tables = _tables(text)
    found = tuple(_claim(paper, table) for table in tables)
    names = [claim.text for claim in found]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            "a claim is stated twice", received=repeated[0], remedy="remove one of the two"
        )
    return found


def _tables(text: str) -> tuple[Paper, list[dict[str, Any]]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        content = tomllib.loads(text)
    # Brackets within brackets without end exhaust the parser; numbers of thousands of digits are
    # refused by Python itself.
    except (ValueError, RecursionError) as error:
        raise InputError(
            "the claims are no TOML", received=str(error), remedy="correct that line"
        ) from error
    tables, paper = content.pop("claim", []), content.pop("paper", None)
    if content or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise InputError(
            "the claims are not tables", received=", ".join(content), allowed="[paper], [[claim]]"
        )
    return _paper(paper), tables


def _paper(table: object) -> Paper:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Paper).validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            "the table [paper] is not complete",
            received=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            allowed=", ".join(one.name for one in fields(Paper)),
        ) from error


def _claim(paper: Paper, table: dict[str, Any]) -> PaperClaim:
    texts: dict[str, Any] = {key: table.get(key) for key in _TEXTS}
    texts |= {key: table.get(key, "") for key in _OPTIONAL_TEXTS}
    if missing := [key for key, value in texts.items() if not isinstance(value, str)]:
        raise InputError(
            f"the claim {table.get('text', '')!r} lacks a line of text",
            received=", ".join(missing),
            remedy="every claim has " + ", ".join(_TEXTS),
        )
    if texts["reason"] not in ("", *_WRITTEN) or bool(texts["reason"]) != bool(texts["why"]):
        raise InputError(
            f"the claim {table['text']!r} has an unknown reason, or a reason without a sentence",
            received=f"reason {texts['reason']!r}, why {texts['why']!r}",
            allowed=", ".join(_WRITTEN) + ", with the key why",
        )
    name = texts.pop("check")
    arguments = {
        key: value for key, value in table.items() if key not in (*_TEXTS, *_OPTIONAL_TEXTS)
    }
    try:
        check = CHECKS.known(name)
    except InputError as error:
        raise InputError(
            f"the claim {table['text']!r} names an {error.what}",
            allowed=error.allowed,
            remedy=error.remedy,
        ) from error
    return PaperClaim(paper, **texts, check=partial(check, **_arguments(table, check, arguments)))


def _arguments(
    table: dict[str, Any], check: Callable[..., Finding | None], given: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of a check, converted to the types of its signature.

    Raises:
        InputError: One is missing, unknown or of another type.
    """
    import inspect

    from pydantic import ConfigDict, ValidationError, create_model

    hints = get_type_hints(check)
    _, *parameters = inspect.signature(check).parameters.values()
    fields: dict[str, Any] = {
        one.name: (hints[one.name], ... if one.default is one.empty else one.default)
        for one in parameters
    }
    model = create_model(
        table["check"], __config__=ConfigDict(extra="forbid", strict=True), **fields
    )
    try:
        # Strict JSON turns lists into tuples and tables into dataclasses, and "1" into no number.
        found = model.model_validate_json(json.dumps(given, default=str))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"the claim {table['text']!r} does not fit its check {table['check']}",
            received=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            allowed=", ".join(fields) or "no arguments",
            remedy="correct the claim's keys",
        ) from error
    return {name: getattr(found, name) for name in fields}
