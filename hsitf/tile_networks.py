"""Networks that label every pixel of a tile: `(tile, tile, bands)` -> `(tile, tile, classes)`.

Their weights do not know the side of the tile, so that the same network takes tiles of any side
that its pooling divides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hsitf.errors import InputError

if TYPE_CHECKING:
    import keras

# Side of the tiles on which a trained network is run, at least: the smaller the tile, the more of
# it is overlap.
RUN_SIDE = 128


def is_tile_network(network: Any) -> bool:
    """Whether a network's only output has logits for each pixel of its input."""
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        return False
    given, made = (tuple(one.shape) for one in (network.inputs[0], network.outputs[0]))
    return len(given) == len(made) == 4 and given[1:3] == made[1:3]


def at_side(network: keras.Model, side: int) -> keras.Model:
    """The same network, with the same weights, for tiles of another side.

    Args:
        network: A network of tiles, whose layers are shared.
        side: Side of the tiles in pixels.

    Raises:
        InputError: Its layers do not accept the side, or do not return it.
    """
    import keras

    from hsitf.graph import Call, unwrap_single, walk

    if side == network.inputs[0].shape[1]:
        return network

    def visit(call: Call, values: list[Any]) -> Any:
        result = call.call_with(call.operation, values)
        return list(result) if isinstance(result, list | tuple) else result

    given = network.inputs[0]
    inputs = keras.Input((side, side, given.shape[-1]), name=given.name)
    try:
        outputs = walk(network, [inputs], visit)
    except ValueError as error:
        raise _refused(network, side) from error
    model = keras.Model(inputs, unwrap_single(outputs), name=network.name)
    if not is_tile_network(model):
        raise _refused(network, side)
    return model


def run_side(network: keras.Model) -> int:
    """Side in pixels of the tiles on which a trained network is run: a multiple of its own."""
    own = int(network.inputs[0].shape[1])
    return -(-RUN_SIDE // own) * own


def _refused(network: keras.Model, side: int) -> InputError:
    return InputError(
        f"{network.name} cannot label tiles of this side",
        received=f"{side} x {side} pixels",
        remedy=f"give a multiple of {network.inputs[0].shape[1]}, the side it was trained on",
    )
