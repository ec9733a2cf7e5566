"""Training options as keys of study files: all that `hsitf train` has, taken from its options.

A new field of `RecipeOptions` or `TrainingOptions` is a key of study files without another line
here. What a cell changes of its recipe is kept as a text, such as "label_smoothing=0;mixup=0.2", by
which cells are told apart.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Union, get_args, get_origin, get_type_hints

from hsitf.options import RecipeOptions, TrainingOptions

# In place of a value: what the recipe has.
AS_RECIPE = "recipe"
# Fields that are keys under other names, or none: a teacher belongs to one split, and the cells of
# a study are of several.
_OTHERWISE = ("epochs", "recipe_name", "teachers", "teacher_weight")
# Names of the command line, where the field has another.
_NAMES = {"augmentations": "augment"}
# What the fit of a baseline can take.
_OF_BASELINES = ("class_weights",)
_ALLOWED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Mapping: "a text such as 'noise' or 'noise=0.5', a list of such, or a table such as "
    "{noise = 0.5}",
}


@dataclass(frozen=True)
class TrainingKey:
    """A key of study files that changes how networks are trained.

    Attributes:
        name: Its name in study files.
        field: The field of the options that it sets.
        of_recipe: Whether that is a field of `RecipeOptions`; else of `TrainingOptions`.
        kind: Type of a value: bool, int, float, str, or Mapping for strengths by name.
    """

    name: str
    field: str
    of_recipe: bool
    kind: Any

    def text(self, value: object) -> str:
        """A value of a study file as text.

        Raises:
            ValueError: It has another type; the message says what is allowed.
        """
        if self.kind is Mapping:
            return ",".join(map(self._word, _strengths(value)))
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.kind or (isinstance(value, float) and not math.isfinite(value)):
            raise ValueError(_ALLOWED[self.kind])
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float):
            return repr(value).removesuffix(".0")
        return self._word(str(value))

    def value(self, text: str) -> Any:
        """What `text` made a text of; texts NAME or NAME=STRENGTH for strengths by name."""
        if self.kind is Mapping:
            return tuple(text.split(","))
        return text == "true" if self.kind is bool else self.kind(text)

    def _word(self, text: str) -> str:
        if not text or set(text) & set(";,"):
            raise ValueError(f"{_ALLOWED[self.kind]}, without commas and semicolons")
        return text


def _strengths(value: object) -> list[str]:
    """Texts NAME or NAME=STRENGTH of one value of a study file."""
    if isinstance(value, Mapping):
        strengths = list(value.values())
        if all(isinstance(s, int | float) and not isinstance(s, bool) for s in strengths):
            found = [f"{name}={float(s)!r}".removesuffix(".0") for name, s in value.items()]
            if found:
                return found
    elif isinstance(value, str):
        return [value]
    elif isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return list(value)
    raise ValueError(_ALLOWED[Mapping])


def _keys() -> dict[str, TrainingKey]:
    found = {}
    for options in (RecipeOptions, TrainingOptions):
        hints = get_type_hints(options)
        for one in fields(options):
            kind = _kind(hints[one.name])
            if one.name in _OTHERWISE or kind is None:
                continue
            name = _NAMES.get(one.name, one.name)
            found[name] = TrainingKey(name, one.name, options is RecipeOptions, kind)
    return dict(sorted(found.items()))


def _kind(hint: Any) -> Any:
    """The type of an option's value in study files; None where these cannot have it."""
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if any(get_origin(part) is Mapping for part in parts):
        return Mapping
    (kind, *others) = [part for part in parts if part is not type(None)]
    return kind if kind in _ALLOWED and not others else None


def changes(values: Mapping[str, str]) -> str:
    """What a cell changes of its recipe, as one text.

    Args:
        values: Text of each key's value; empty for what the recipe has.
    """
    return ";".join(f"{name}={values[name]}" for name in sorted(values) if values[name])


def changes_of_baseline(text: str) -> str:
    """Of the changes of a cell, those that the fit of a baseline can take."""
    return changes({name: value for name, value in _parts(text) if name in _OF_BASELINES})


def options_of(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of `RecipeOptions` and of `TrainingOptions` that a cell changes.

    Args:
        text: As `changes` made it.
    """
    recipe: dict[str, Any] = {}
    training: dict[str, Any] = {}
    for name, value in _parts(text):
        key = TRAINING_KEYS[name]
        (recipe if key.of_recipe else training)[key.field] = key.value(value)
    return recipe, training


def _parts(text: str) -> Iterable[Sequence[str]]:
    return [part.split("=", 1) for part in text.split(";")] if text else []


TRAINING_KEYS = _keys()
