"""A .tflite file as C source, for devices without a file system.

`MODEL.h` declares the bytes and says what goes in and what comes out; `MODEL.c` holds the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hsitf.records import ExportRecord, TensorSpec

# Interpreters of microcontrollers read tensors in place, which takes aligned addresses.
ALIGNMENT = 16
_PER_LINE = 16


def write(record: ExportRecord, file: Path, folder: Path) -> tuple[Path, Path]:
    """Writes header and source of an exported file.

    Args:
        record: Of the file.
        file: The .tflite file.
        folder: Where header and source go, named as the network.

    Returns:
        Header and source.
    """
    name = re.sub(r"\W", "_", f"hsitf_{record.model}")
    header, source = folder / f"{record.model}.h", folder / f"{record.model}.c"
    header.write_text("\n".join(_header(record, name)) + "\n", encoding="utf-8")
    source.write_text("\n".join(_source(header.name, name, file.read_bytes())) + "\n", "utf-8")
    return header, source


def _header(record: ExportRecord, name: str) -> Iterator[str]:
    guard = f"{name.upper()}_H"
    yield f"/* {record.model} for {_comment(record.scene)} ({record.variant}), {record.sha256} */"
    yield f"#ifndef {guard}"
    yield f"#define {guard}"
    yield ""
    yield f"extern const unsigned char {name}[];"
    yield f"extern const unsigned int {name}_size; /* bytes */"
    yield ""
    if record.folded_preprocessing:
        yield "/* Input: patches in the sensor's units. */"
    else:
        yield "/* Input: normalized patches; see record.json. */"
    yield from _tensor(f"{name.upper()}_INPUT", record.input)
    yield f"#define {name.upper()}_PATCH {record.patch} /* pixels */"
    yield f"#define {name.upper()}_BANDS {record.bands}"
    yield ""
    yield "/* Output: one logit a class. */"
    yield from _tensor(f"{name.upper()}_OUTPUT", record.output)
    yield f"#define {name.upper()}_CLASSES {len(record.class_names)}"
    for number, label in enumerate(record.class_names):
        yield f"/* {number}: {_comment(label)} */"
    yield ""
    yield f"#endif /* {guard} */"


def _tensor(name: str, tensor: TensorSpec) -> Iterator[str]:
    kinds = {"float32": "float", "int8": "signed char", "int16": "short"}
    yield f"#define {name}_TYPE {kinds[tensor.dtype]}"
    shape = ", ".join(map(str, tensor.shape))
    yield f"#define {name}_SHAPE {{{shape}}}"
    if tensor.scale is not None:
        yield "/* real = scale * (stored - zero point) */"
        # Nine digits give every float32 back.
        yield f"#define {name}_SCALE {tensor.scale:.9e}f"
        yield f"#define {name}_ZERO_POINT ({tensor.zero_point})"


def _source(header: str, name: str, content: bytes) -> Iterator[str]:
    yield f'#include "{header}"'
    yield ""
    yield "#if defined(__GNUC__)"
    yield f"__attribute__((aligned({ALIGNMENT})))"
    yield "#endif"
    yield f"const unsigned char {name}[] = {{"
    for start in range(0, len(content), _PER_LINE):
        line = ", ".join(f"0x{byte:02x}" for byte in content[start : start + _PER_LINE])
        yield f"    {line},"
    yield "};"
    yield ""
    yield f"const unsigned int {name}_size = sizeof({name});"


def _comment(text: str) -> str:
    """Names come from files of strangers and must not end the comment that they stand in."""
    return re.sub(r"[^\w .,()+-]", "_", text)
