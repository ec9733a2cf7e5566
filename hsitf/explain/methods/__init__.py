"""The methods of explanation: one file each, and a row in `METHODS`.

To add a method, write `(view, patches, output, settings) -> Attribution` in a file of its own and
add its `METHOD` here.
"""

from __future__ import annotations

from hsitf.errors import InputError
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
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.registry import Registry

__all__ = ["METHODS", "Attribution", "ExplanationMethod", "MethodSettings", "check", "known"]

METHODS: Registry[ExplanationMethod] = Registry(
    "method",
    {
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
    },
)


def known(name: str) -> ExplanationMethod:
    """The method `name`.

    Raises:
        InputError: There is no such method; the nearest names are offered.
    """
    return METHODS.known(name)


def check(method: ExplanationMethod, kind: str) -> None:
    """Refuses a method that needs gradients for a file.

    Args:
        method: The explanation method.
        kind: Variant of the file, such as int8.

    Raises:
        InputError: The method needs gradients.
    """
    if not method.supports_files:
        raise InputError(
            f"{method.name} takes gradients, which a file does not give",
            received=f"a file of kind {kind}",
            allowed=", ".join(one.name for one in METHODS.values() if one.supports_files),
            remedy="take one of these, or explain the run that the file was made from",
        )
