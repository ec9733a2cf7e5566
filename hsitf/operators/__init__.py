"""What is known about every type of layer and operation: one frozen row each.

A row holds the facts that several stages need: what an operator does with channels, which axes
its kernel reads and makes, how many multiply-accumulates it takes. `cost`, pruning, quantization
and drawings derive what they need from it; how a type is pruned and lowered stands in those
stages' own rule tables, keyed by the type. A stage that cannot take a type says why in the row.

To add a type of Keras, give it a row in the file of its family, a rule in `hsitf/prune/rules/`
and one in `hsitf/lower/rules.py`, or refusals. To make a layer of your own known, see `register`:

    hsitf.operators.register(Scale, OperatorType(Role.PASSES, elementwise=True))
"""

from hsitf.operators import (
    attention,
    convolution,
    dense,
    elementwise,
    merging,
    moving,
    normalization,
    operations,
    pooling,
    preprocessing,
    recurrent,
)
from hsitf.operators.counting import kernel_per_input, kernel_per_output
from hsitf.operators.registry import (
    RuleTable,
    add,
    count,
    find,
    find_type,
    follows,
    register,
    row_of,
    row_of_type,
    unsupported,
)
from hsitf.operators.row import (
    Capability,
    KernelAxes,
    OperatorType,
    Pooling,
    Refusal,
    Role,
    Rows,
    always,
    never,
    no_macs,
)
from hsitf.operators.shapes import CallShapes, Shape

for _family in (
    convolution,
    dense,
    pooling,
    normalization,
    elementwise,
    recurrent,
    moving,
    merging,
    attention,
    preprocessing,
):
    add(_family.LAYERS)
add({}, operations.OPERATIONS)

__all__ = [
    "CallShapes",
    "Capability",
    "KernelAxes",
    "OperatorType",
    "Pooling",
    "Refusal",
    "Role",
    "Rows",
    "RuleTable",
    "Shape",
    "always",
    "count",
    "find",
    "find_type",
    "follows",
    "kernel_per_input",
    "kernel_per_output",
    "never",
    "no_macs",
    "register",
    "row_of",
    "row_of_type",
    "unsupported",
]
