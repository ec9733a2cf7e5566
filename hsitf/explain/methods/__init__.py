"""The methods of explanation: one file each, and a row in `METHODS`.

To add one, write `(view, patches, output, settings) -> Attribution` in a file of its own and give
its `METHOD` a place here.
"""

from __future__ import annotations

from hsitf.errors import InputError, unknown
from hsitf.explain.methods import (
    activation,
    gradient_times_input,
    guided_backpropagation,
    integrated_gradients,
    occlusion,
    saliency,
    smoothgrad,
    weight,
)
from hsitf.explain.methods.method import Attribution, Method
from hsitf.explain.settings import Settings

__all__ = ["METHODS", "Attribution", "Method", "Settings", "check", "known"]

METHODS: dict[str, Method] = {
    module.METHOD.name: module.METHOD
    for module in (
        saliency,
        gradient_times_input,
        integrated_gradients,
        smoothgrad,
        guided_backpropagation,
        occlusion,
        activation,
        weight,
    )
}


def known(name: str) -> Method:
    """The method `name`.

    Raises:
        InputError: There is no such method; the nearest names are offered.
    """
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    return METHODS[name]


def check(method: Method, kind: str) -> None:
    """Refuses a method that a file cannot give.

    Args:
        method: To explain with.
        kind: Of the file, such as int8.

    Raises:
        InputError: The method takes gradients.
    """
    if not method.files:
        raise InputError(
            f"{method.name} takes gradients, which a file does not give",
            received=f"a file of kind {kind}",
            allowed=", ".join(one.name for one in METHODS.values() if one.files),
            remedy="take one of these, or explain the run that the file was made from",
        )
