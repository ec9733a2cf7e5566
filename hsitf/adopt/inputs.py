"""From patches `(rows, cols, bands)` to inputs as people shape them.

An input's layout is one name an axis: `rows`, `cols`, `bands` or `1`; `flat` is a patch as one
vector, rows before cols before bands, and `flat-bands-first` one with bands first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

from hsitf.errors import InputError

if TYPE_CHECKING:
    import keras

ROWS, COLS, BANDS, ONE = "rows", "cols", "bands", "1"
FLAT, FLAT_BANDS_FIRST = "flat", "flat-bands-first"
_AXES = (ROWS, COLS, BANDS, ONE)


@dataclass(frozen=True)
class InputLayout:
    """How one input of a network lies in a patch.

    Attributes:
        axes: One name an axis of the input, without the batch.
        patch: Side of the patch that it sees, in pixels; 1 for the spectrum of the center.
    """

    axes: tuple[str, ...]
    patch: int

    def __str__(self) -> str:
        return ", ".join(self.axes)

    @property
    def transposed(self) -> InputLayout:
        """The layout with rows and cols exchanged."""
        exchange = {ROWS: COLS, COLS: ROWS}
        return InputLayout(tuple(exchange.get(axis, axis) for axis in self.axes), self.patch)


def parse_layout(text: str) -> tuple[str, ...]:
    """Reads axes as a user writes them, such as "bands,rows,cols" or "rows,cols,bands,1".

    Raises:
        InputError: They name no input.
    """
    axes = tuple(part.strip() for part in text.replace("(", "").replace(")", "").split(","))
    if axes in ((FLAT,), (FLAT_BANDS_FIRST,)):
        return axes
    spatial = [axis for axis in axes if axis in (ROWS, COLS)]
    valid = set(axes) <= set(_AXES) and axes.count(BANDS) == 1
    if not valid or sorted(spatial) not in ([], sorted((ROWS, COLS))):
        raise InputError(
            "these axes name no input",
            received=text,
            allowed="bands once, rows and cols once each or neither, and 1 for axes of one; or "
            f"{FLAT}, {FLAT_BANDS_FIRST}",
            remedy="name the axes of the network's input in their order, such as rows,cols,bands,1",
        )
    return axes


def recognize_layout(shape: Sequence[int | None], components: int, name: str) -> InputLayout:
    """The layout of one input, recognized by the sizes of its axes.

    Args:
        shape: Its shape without the batch.
        components: Numbers per pixel that enter the network.
        name: Name of the input, for messages.

    Raises:
        InputError: The shape cannot be that of patches with so many components, or can be in
            more than one way.
    """
    sizes = _fixed(shape, name)
    candidates = _layouts(sizes, components)
    if not candidates:
        raise _no_layout(sizes, components, None, name)
    if len(candidates) > 1:
        raise InputError(
            f"the axes of the input {name!r} can be read in several ways",
            received=_sizes(shape),
            allowed=" or ".join(f"{one}" for one in candidates),
            remedy="name them with --input-axes, such as --input-axes "
            + ",".join(candidates[0].axes),
        )
    return candidates[0]


def _fixed(shape: Sequence[int | None], name: str) -> list[int]:
    if not shape or None in shape:
        raise InputError(
            f"the input {name!r} has no fixed size",
            received=_sizes(shape),
            allowed="the size of every axis but the batch",
            remedy="build the network with a fixed patch size before saving it",
        )
    return [int(size) for size in shape if size is not None]


def _layouts(sizes: list[int], components: int) -> list[InputLayout]:
    """Every way to read axes of these sizes, rows before cols."""
    if len(sizes) == 1 and sizes[0] != components:
        side = isqrt(sizes[0] // components)
        if sizes[0] % components or side**2 * components != sizes[0]:
            return []
        return [InputLayout((FLAT,), side)]
    found = []
    for at, size in enumerate(sizes):
        if size != components:
            continue
        others = [axis for axis in range(len(sizes)) if axis != at]
        wide = [axis for axis in others if sizes[axis] > 1]
        names = {at: BANDS}
        if not wide:
            # Axes of one: which of them is rows does not matter.
            found.append(_named(sizes, names, 1))
        elif len(wide) == 2 and sizes[wide[0]] == sizes[wide[1]]:
            found.append(_named(sizes, names | {wide[0]: ROWS, wide[1]: COLS}, sizes[wide[0]]))
    # Which of several axes of one is "bands" does not matter either.
    distinct = {(_effective(one)): one for one in found}
    return list(distinct.values())


def _named(sizes: list[int], names: dict[int, str], patch: int) -> InputLayout:
    return InputLayout(tuple(names.get(axis, ONE) for axis in range(len(sizes))), patch)


def _effective(layout: InputLayout) -> tuple[str, ...]:
    return tuple(axis for axis in layout.axes if axis != ONE)


def layout_from_axes(
    shape: Sequence[int | None], components: int, axes: tuple[str, ...], name: str
) -> InputLayout:
    """The layout that a user named, checked against the shape of the input.

    Raises:
        InputError: They do not fit each other.
    """
    sizes = _fixed(shape, name)
    if axes in ((FLAT,), (FLAT_BANDS_FIRST,)):
        plain = _layouts(sizes, components) if len(sizes) == 1 else []
        if plain:
            return InputLayout(axes, plain[0].patch)
    elif len(axes) == len(sizes):
        by_axis = dict(zip(axes, sizes, strict=True))
        ones = all(size == 1 for axis, size in zip(axes, sizes, strict=True) if axis == ONE)
        side = by_axis.get(ROWS, 1)
        if ones and by_axis[BANDS] == components and side == by_axis.get(COLS, 1) and side > 0:
            return InputLayout(axes, side)
    raise _no_layout(sizes, components, axes, name)


def _no_layout(
    sizes: Sequence[int], components: int, axes: tuple[str, ...] | None, name: str
) -> InputError:
    if axes is not None:
        return InputError(
            f"the axes of the input {name!r} are not those that were named",
            received=f"{', '.join(axes)} for {_sizes(sizes)}, with {components} bands",
            remedy="name one axis for each, bands where the size is that of the bands",
        )
    if components in sizes and len([size for size in sizes if size > 1]) == 3:
        return InputError(
            f"the patches of the input {name!r} are not square",
            received=f"shape {_sizes(sizes)}",
            allowed="as many rows as cols",
            remedy="build the network for square patches, or crop them in its first layer",
        )
    others = sorted({size for size in sizes if size > 1 and sizes.count(size) == 1})
    hint = f" (of {' or '.join(map(str, others))} bands or components?)" if others else ""
    return InputError(
        f"the input {name!r} takes other numbers than this scene has{hint}",
        received=f"shape {_sizes(sizes)}, and {components} bands or components per pixel",
        allowed="patches with that many bands: (rows, cols, bands) in any order with axes of one, "
        "a spectrum, or a flattened patch",
        remedy="give the band reduction in front of the network: --bands pca:30, or "
        "--normalize FILE with components or bands",
    )


def _sizes(shape: Sequence[int | None]) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"


def input_layouts(
    model: keras.Model, components: int, axes: Sequence[tuple[str, ...]] = ()
) -> list[InputLayout]:
    """The layouts of all inputs of a network.

    Args:
        model: A functional model.
        components: Numbers per pixel that enter the network.
        axes: The axes of each input in their order, where the user named them.

    Raises:
        InputError: An input cannot be read, or the number of named inputs differs.
    """
    if axes and len(axes) != len(model.inputs):
        raise InputError(
            "axes of another number of inputs were named",
            received=f"{len(axes)}",
            allowed=f"{len(model.inputs)}: {', '.join(tensor.name for tensor in model.inputs)}",
            remedy="give --input-axes once for each input, in their order",
        )
    if not axes:
        return [recognize_layout(t.shape[1:], components, t.name) for t in model.inputs]
    return [
        layout_from_axes(tensor.shape[1:], components, one, tensor.name)
        for tensor, one in zip(model.inputs, axes, strict=True)
    ]


def arrange(x: Any, layout: InputLayout, shape: Sequence[int], name: str) -> Any:
    """The input of a network from a patch: data is moved, nothing computed.

    Args:
        x: Keras tensor (batch, side, side, components).
        layout: The input's layout.
        shape: The input's shape without the batch.
        name: What the names of its layers begin with.

    Returns:
        Keras tensor (batch, *shape).
    """
    from keras import layers

    side = int(x.shape[1])
    if layout.patch < side:
        # The middle of the patch as patches are cut: the pixel is at side // 2.
        before = side // 2 - layout.patch // 2
        after = side - layout.patch - before
        x = layers.Cropping2D(((before, after), (before, after)), name=f"{name}_center")(x)
    order = _effective(layout)
    if layout.axes == (FLAT,):
        order = (ROWS, COLS, BANDS)
    elif layout.axes == (FLAT_BANDS_FIRST,):
        order = (BANDS, ROWS, COLS)
    if layout.patch > 1:
        axes = tuple((ROWS, COLS, BANDS).index(axis) + 1 for axis in order)
        if axes != (1, 2, 3):
            x = layers.Permute(axes, name=f"{name}_axes")(x)
    if tuple(x.shape[1:]) != tuple(shape):
        x = layers.Reshape(tuple(shape), name=f"{name}_shape")(x)
    return x


def other_layouts(layouts: Sequence[InputLayout]) -> list[list[InputLayout]]:
    """Other ways in which the same shapes are laid out: cols before rows, or bands first."""
    swapped = [
        InputLayout((FLAT_BANDS_FIRST,), one.patch) if one.axes == (FLAT,) else one.transposed
        for one in layouts
    ]
    return [] if swapped == list(layouts) else [swapped]
