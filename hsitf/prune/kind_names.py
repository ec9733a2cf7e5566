"""Names of the kinds of channels that can be asked for; reading them does not load Keras."""

from __future__ import annotations

from hsitf.errors import unknown

# Kinds that can be asked for, with what they are.
KINDS = {
    "heads": "heads of attention layers",
    "keys": "width of queries and keys in each head",
    "values": "width of values in each head",
    "mlp": "hidden width between two residual sums",
    "embedding": "width of the residual stream that attention reads",
    "tokens": "tokens that a layer mixes as if they were channels",
    "filters": "filters of convolutions",
    "units": "units of dense and recurrent layers",
    "bands": "bands of the input",
}


def check_kind(name: str) -> None:
    """Refuses a kind that does not exist.

    Raises:
        InputError: It does not; the nearest names are offered.
    """
    if name not in KINDS:
        raise unknown("kind of channels", name, KINDS)
