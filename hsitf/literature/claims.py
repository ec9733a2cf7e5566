"""Claims of the literature as data, and what a study says about them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from typing import Any, get_type_hints

from hsitf.errors import InputError
from hsitf.literature.checks import CHECKS, Finding
from hsitf.literature.means import StudyMeans
from hsitf.sweep.record import StudyResults

CLAIMS_FILE = "claims.toml"
HOLDS, FAILS, UNKNOWN = "holds", "does not hold", "not measured"

# Keys of a claim that are text; all others are arguments of its check.
_TEXTS = ("topic", "text", "value", "criterion", "check")


@dataclass(frozen=True)
class PaperClaim:
    """A statement of the literature.

    Attributes:
        topic: Topic of the claim.
        text: The claim in a sentence.
        value: The literature's own figures.
        criterion: How it is checked on the cells of a study.
        check: The check with its arguments: returns the finding, or None where the study lacks the
            cells that it needs.
    """

    topic: str
    text: str
    value: str
    criterion: str
    check: Callable[[StudyMeans], Finding | None]


@dataclass(frozen=True)
class CheckedClaim:
    """A statement and whether it holds on a scene."""

    claim: PaperClaim
    verdict: str
    measured: str


def check_claims(
    results: StudyResults, scene: str = "", split: str = ""
) -> tuple[CheckedClaim, ...]:
    """Compares the shipped claims with the results of a study.

    Args:
        results: Results of any study; `compression` has the most measurements.
        scene: Name in the settings; the scene of the study's first cell where empty.
        split: Name in the settings; the split that most cells have where empty.
    """
    study = StudyMeans.of(results, scene, split)
    return tuple(_checked(claim, study) for claim in load_claims())


def _checked(claim: PaperClaim, study: StudyMeans) -> CheckedClaim:
    finding = claim.check(study)
    if finding is None:
        return CheckedClaim(claim, UNKNOWN, "")
    return CheckedClaim(claim, HOLDS if finding.holds else FAILS, finding.measured)


@cache
def load_claims() -> tuple[PaperClaim, ...]:
    """The shipped claims, in the order of `claims.toml`."""
    return read_claims(files(__package__).joinpath(CLAIMS_FILE).read_text(encoding="utf-8"))


def read_claims(text: str) -> tuple[PaperClaim, ...]:
    """Reads claims from TOML, one `[[claim]]` table each.

    Args:
        text: TOML text. Each table has the keys topic, text, value, criterion and check, the name
            of a check in `CHECKS`; its other keys are the arguments of that check.

    Raises:
        InputError: The text is not valid TOML, a claim lacks a key, names an unknown check, or
            gives its check an argument that it does not take.
    """
    found = tuple(_claim(table) for table in _tables(text))
    names = [claim.text for claim in found]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            "a claim is stated twice", received=repeated[0], remedy="remove one of the two"
        )
    return found


def _tables(text: str) -> list[dict[str, Any]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            "the claims are no TOML", received=str(error), remedy="correct that line"
        ) from error
    tables = content.pop("claim", [])
    if content or not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise InputError(
            "the claims are not tables", received=", ".join(content), allowed="[[claim]]"
        )
    return tables


def _claim(table: dict[str, Any]) -> PaperClaim:
    texts: dict[str, Any] = {key: table.get(key) for key in _TEXTS}
    if missing := [key for key, value in texts.items() if not isinstance(value, str)]:
        raise InputError(
            f"the claim {table.get('text', '')!r} lacks a line of text",
            received=", ".join(missing),
            remedy="every claim has " + ", ".join(_TEXTS),
        )
    name = texts.pop("check")
    arguments = {key: value for key, value in table.items() if key not in _TEXTS}
    try:
        check = CHECKS.known(name)
    except InputError as error:
        raise InputError(
            f"the claim {table['text']!r} names an {error.what}",
            allowed=error.allowed,
            remedy=error.remedy,
        ) from error
    return PaperClaim(**texts, check=partial(check, **_arguments(table, check, arguments)))


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
