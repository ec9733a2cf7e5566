"""Damage to the content of files, each kind of damage a function from content to content.

A mutator takes the honest content and a seeded random generator; it returns other content and a
line that says what it did. The same seed does the same damage.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np

Mutator = Callable[[bytes, Random], tuple[bytes, str]]

# Whole numbers at which sizes and signs go wrong.
_BOUNDARIES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
_LONG = 5000

# --- bytes ------------------------------------------------------------------------------------


def flip(content: bytes, random: Random) -> tuple[bytes, str]:
    """Changes one to eight bytes, most often near the front, where headers are."""
    damaged = bytearray(content)
    places = [_place(content, random) for _ in range(random.randint(1, 8))] if content else []
    for place in places:
        damaged[place] ^= random.randint(1, 255)
    return bytes(damaged), f"flip {places}"


def cut(content: bytes, random: Random) -> tuple[bytes, str]:
    """Cuts the end off."""
    length = random.choice([0, random.randrange(len(content) + 1), max(len(content) - 1, 0)])
    return content[:length], f"cut to {length} bytes"


def zeros(content: bytes, random: Random) -> tuple[bytes, str]:
    """Puts zeros in the place of a block."""
    start, length = _block(content, random)
    return content[:start] + bytes(length) + content[start + length :], f"{length} zeros at {start}"


def repeat(content: bytes, random: Random) -> tuple[bytes, str]:
    """Puts a block there twice."""
    start, length = _block(content, random)
    end = start + length
    return content[:end] + content[start:], f"repeat {length} bytes at {start}"


def remove(content: bytes, random: Random) -> tuple[bytes, str]:
    """Takes a block out."""
    start, length = _block(content, random)
    return content[:start] + content[start + length :], f"remove {length} bytes at {start}"


def append(content: bytes, random: Random) -> tuple[bytes, str]:
    """Puts something behind the end."""
    length = random.choice([1, 100, 4096])
    return content + random.randbytes(length), f"append {length} bytes"


def boundary(content: bytes, random: Random) -> tuple[bytes, str]:
    """Writes a whole number at which sizes go wrong over the bytes of a place."""
    code, order = random.choice("BHIQ"), random.choice("<>")
    width = struct.calcsize(order + code)
    number = random.choice(_BOUNDARIES) % 256**width
    place = _place(content, random) if content else 0
    written = struct.pack(order + code, number)
    return content[:place] + written + content[place + width :], f"{number} ({code}) at {place}"


def _place(content: bytes, random: Random) -> int:
    """A place in content that is not empty."""
    return random.randrange(random.choice([len(content), min(len(content), 256)]))


def _block(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(content) + 1)
    return start, random.randint(0, min(len(content) - start, random.choice([4, 64, 4096])))


BYTES: tuple[Mutator, ...] = (flip, cut, zeros, repeat, remove, append, boundary)

# --- values of JSON ---------------------------------------------------------------------------

_PATHS = (
    "../../evil",
    "/etc/passwd",
    "a\x00b",
    "..",
    "",
    "a" * 300,
    "\x1b[31m",
    "x\\y",
    "~",
    "é" * 9,
)


def json_value(content: bytes, random: Random) -> tuple[bytes, str]:
    """Puts another value into one place of a JSON document, or takes it away."""
    document = json.loads(content)
    places = list(_places(document))
    if not places:
        return b"[]", "an empty list"
    holder, key, name = random.choice(places)
    what = random.choice(("value", "value", "value", "missing", "twice", "more"))
    if what == "missing":
        del holder[key]
        return _dumped(document), f"{name} is missing"
    if what == "twice" and isinstance(holder, list):
        holder.insert(key, holder[key])
        return _dumped(document), f"{name} stands there twice"
    if what == "more" and isinstance(holder, dict):
        holder["unknown"] = holder[key]
        return _dumped(document), f"an unknown key beside {name}"
    before = holder[key]
    text = random.choice(_replacements(before, random))
    # JSON as text, since some of what is tried cannot be held by Python's own values.
    holder[key] = "\x00here\x00"
    return (
        _dumped(document).replace(json.dumps("\x00here\x00").encode(), text.encode()),
        f"{name} = {text[:60]}",
    )


def _replacements(before: Any, random: Random) -> Sequence[str]:
    """Texts of JSON to put in the place of a value."""
    any_type = ("null", "true", '"a"', "0", "-1", "[]", "{}", "[[]]", "1e400", "NaN", "-Infinity")
    odd = (
        *any_type,
        "1" * _LONG,
        json.dumps("1" * _LONG),
        "[" * _LONG + "]" * _LONG,
        "0.5",
        "7.5",
        "1e300",
        str(2**31),
        str(2**63),
        str(2**64),
        "-2147483649",
    )
    if isinstance(before, str):
        return (*odd, *map(json.dumps, _PATHS), *(json.dumps(one) for one in _PATHS))
    if isinstance(before, list):
        shorter = before[: random.randrange(len(before) + 1)] if before else []
        return (*odd, json.dumps(shorter), json.dumps(before * 2), json.dumps([None] * len(before)))
    if isinstance(before, int | float) and not isinstance(before, bool):
        near = [before - 1, before + 1, -before, before * 1000]
        return (*odd, *(json.dumps(one) for one in near))
    return odd


def _places(value: Any, name: str = "") -> Any:
    """Holder, key and name of every value in a document."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        # Of long lists the ends are enough.
        pairs = [(at, one) for at, one in enumerate(value) if at < 4 or at >= len(value) - 1]
    for key, one in list(pairs):
        inner = f"{name}.{key}".lstrip(".")
        yield value, key, inner
        yield from _places(one, inner)


def _dumped(document: Any) -> bytes:
    return json.dumps(document).encode()


JSON: tuple[Mutator, ...] = (json_value, json_value, json_value, *BYTES)

# --- lines of text: TOML, ENVI headers, tables ------------------------------------------------

_WORDS = (
    *(
        "",
        "-1",
        "0",
        "1",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "7.5",
        "2147483648",
        "99999999999999999999",
    ),
    *(
        '""',
        '"a"',
        "[]",
        "{}",
        "true",
        "'../../evil'",
        '"../../evil"',
        "[[1]]",
        "[0, -1]",
        "{ 1, 2",
    ),
    *("=HYPERLINK(0)", "é", "\x00", '"', "'", "{", "}", "[" * _LONG, "9" * _LONG, "a" * _LONG),
    *("1979-05-27", "[nan]", "[1e400]", "0x7fffffffffffffff", "2-1", "1:0", ",", ";", "#"),
)


def line_value(content: bytes, random: Random) -> tuple[bytes, str]:
    """Puts another value behind an equals sign, a colon or a comma of a text."""
    text = content.decode("utf-8", "surrogateescape")
    fields = [one.span(2) for one in re.finditer(r"([=:,\[{]|^)([^=:,\n\[\]{}]+)", text, re.M)]
    if not fields:
        return content, "nothing to change"
    start, end = random.choice(fields)
    word = random.choice(_WORDS)
    changed = text[:start] + " " + word + text[end:]
    return changed.encode("utf-8", "surrogateescape"), f"{text[start:end]!r} -> {word[:40]!r}"


def line_order(content: bytes, random: Random) -> tuple[bytes, str]:
    """Takes a line away, puts one there twice, or exchanges two."""
    lines = content.splitlines(keepends=True) or [b""]
    first, second = random.randrange(len(lines)), random.randrange(len(lines))
    what = random.choice(("remove", "repeat", "exchange", "join"))
    if what == "remove":
        del lines[first]
    elif what == "repeat":
        lines.insert(second, lines[first])
    elif what == "exchange":
        lines[first], lines[second] = lines[second], lines[first]
    else:
        lines[first] = lines[first].rstrip(b"\r\n")
    return b"".join(lines), f"{what} line {first} ({second})"


def encoding(content: bytes, random: Random) -> tuple[bytes, str]:
    """Writes a text in another encoding, or with other line ends."""
    text = content.decode("utf-8", "replace")
    changed = random.choice(
        (
            text.encode("utf-16"),
            b"\xef\xbb\xbf" + content,
            content.replace(b"\n", b"\r"),
            content.replace(b"\n", b"\r\n"),
            content.replace(b" ", b"\x00"),
            b"\xff" + content,
        )
    )
    return changed, f"begins with {changed[:4]!r}"


LINES: tuple[Mutator, ...] = (line_value, line_value, line_value, line_order, encoding, *BYTES)

# --- arrays of NumPy --------------------------------------------------------------------------

_HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3, 3), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 0, 0), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2), }",
    "{'descr': '<f4', 'fortran_order': 7, 'shape': (), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': '|S0', 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': '|V8', 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': '<M8[D]', 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2), }",
    "{'descr': '" + "(" * 200 + "', 'fortran_order': False, 'shape': (2,), }",
    "(" * 300,
    "\x00",
    "'",
)


def npy_header(content: bytes, random: Random) -> tuple[bytes, str]:
    """Gives a .npy file another header."""
    start = 10 + struct.unpack("<H", content[8:10])[0] if content[:6] == b"\x93NUMPY" else 0
    header = random.choice(_HEADERS).encode("latin-1")
    version = random.choice((b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"))
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(header))
    return b"\x93NUMPY" + version + size + header + content[start:], f"header {header[:60]!r}"


def npy_array(content: bytes, random: Random) -> tuple[bytes, str]:
    """Puts another whole array into a .npy file."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    found, what = _other_array(array, random)
    stream = io.BytesIO()
    np.save(stream, found)
    return stream.getvalue(), what


def _other_array(array: np.ndarray, random: Random) -> tuple[np.ndarray, str]:
    number = random.choice((0, 1, -1, 2**31, 1e300, float("nan"), float("inf")))
    made: dict[str, Callable[[], Any]] = {
        "a number alone": lambda: np.array(array.flat[0] if array.size else 0),
        "nothing": lambda: array.reshape(-1)[:0] if not array.ndim else array[:0],
        "no last axis": lambda: array[..., :0] if array.ndim else array,
        "one item": lambda: array.reshape(-1)[:1],
        "flat": lambda: array.reshape(-1),
        "an axis more": lambda: array[None],
        "an axis more behind": lambda: array[..., None],
        "turned": lambda: array.T,
        "twice": lambda: np.concatenate([array.reshape(-1)] * 2),
        "texts": lambda: np.full(array.shape, "a"),
        "complex": lambda: array.astype(complex) if array.dtype.kind in "biuf" else array,
        "truth": lambda: np.ones(array.shape, bool),
        "int8": lambda: np.ones(array.shape, np.int8),
        "uint64": lambda: np.full(array.shape, 2**64 - 1, np.uint64),
        f"all {number}": lambda: np.full(array.shape, number, np.float64),
        f"one {number}": lambda: _with_one(array, number, random),
        "big endian": lambda: array.astype(array.dtype.newbyteorder(">")),
        "halves": lambda: np.full(array.shape, 0.5, np.float16),
    }
    what = random.choice(list(made))
    with np.errstate(all="ignore"):
        return np.asarray(made[what]()), what


def _with_one(array: np.ndarray, number: float, random: Random) -> np.ndarray:
    if not array.size or array.dtype.kind not in "biuf":
        return array
    changed = array.astype(np.float64)
    changed.flat[random.randrange(array.size)] = number
    return changed


NPY: tuple[Mutator, ...] = (npy_header, npy_array, npy_array, *BYTES)

# --- zip archives -----------------------------------------------------------------------------

_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
_MEMBERS = ("../evil.npy", "/tmp/evil", "a/../../evil", "C:\\evil", "evil\x00.npy", "", "a" * 400)


def zip_member(content: bytes, random: Random) -> tuple[bytes, str]:
    """Renames, removes, empties or repeats a member of an archive, or damages its content."""
    members = unpacked(content)
    if not members:
        return content, "an empty archive"
    at = random.randrange(len(members))
    name, inside = members[at]
    what = random.choice(
        ("rename", "remove", "empty", "repeat", "damage", "damage", "swap", "link")
    )
    external = 0
    if what == "rename":
        members[at] = random.choice(_MEMBERS), inside
    elif what == "remove":
        del members[at]
    elif what == "empty":
        members[at] = name, b""
    elif what == "repeat":
        members.append((name, inside[: len(inside) // 2]))
    elif what == "swap":
        members[at] = name, random.choice(members)[1]
    elif what == "link":
        # A member that unpackers take for a symbolic link.
        members[at], external = (name, b"/etc/passwd"), 0o120777 << 16
    else:
        damaged, how = random.choice(_inside(name))(inside, random)
        members[at] = name, damaged
        what = f"damage ({how})"
    return packed(members, external), f"{what} {name}"


def zip_field(content: bytes, random: Random) -> tuple[bytes, str]:
    """Writes something untrue of a member into the archive: its size, method or encryption."""
    places = {
        "encrypted": (6, 8, "H", (1, 0xFFFF)),
        "method": (8, 10, "H", (1, 9, 12, 14, 93, 99, 0xFFFF)),
        "checksum": (14, 16, "I", (0, 1)),
        "packed size": (18, 20, "I", (0, 1, 2**31, 2**32 - 1)),
        "size": (22, 24, "I", (0, 1, 2**30, 2**31, 2**32 - 1)),
        "length of the name": (26, 28, "H", (0, 1, 0xFFFF)),
    }
    field = random.choice(list(places))
    local, central, code, values = places[field]
    value, damaged = random.choice(values), bytearray(content)
    heads = [(m.start(), local) for m in re.finditer(re.escape(_LOCAL), content)]
    heads += [(m.start(), central) for m in re.finditer(re.escape(_CENTRAL), content)]
    for start, offset in random.sample(heads, random.randint(1, len(heads))) if heads else []:
        if start + offset + struct.calcsize(code) <= len(damaged):
            struct.pack_into("<" + code, damaged, start + offset, value)
    return bytes(damaged), f"{field} {value}"


def unpacked(content: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of the members of an honest archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def packed(members: Sequence[tuple[str, bytes]], external: int = 0) -> bytes:
    """An archive of members, the same for the same members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inside in members:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = external
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, inside)
    return stream.getvalue()


def _inside(name: str) -> Sequence[Mutator]:
    if name.endswith(".npy"):
        return NPY
    return JSON if name.endswith(".json") else BYTES


ZIP: tuple[Mutator, ...] = (zip_member, zip_member, zip_member, zip_field, *BYTES)

# --- XML --------------------------------------------------------------------------------------


def xml_text(content: bytes, random: Random) -> tuple[bytes, str]:
    """Puts another text into an element or an attribute, or an entity that grows."""
    text = content.decode("utf-8", "surrogateescape")
    spans = [one.span(1) for one in re.finditer(r">([^<>]*)<|=[\"']([^\"']*)[\"']", text)]
    spans = [span for span in spans if span[0] >= 0]
    if not spans or random.random() < 0.1:
        entities = "".join(
            f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "a" * 10}">' for n in range(9)
        )
        external = '<!ENTITY f SYSTEM "file:///etc/passwd">'
        head, _, rest = text.rpartition("?>")
        changed = f"{head}?><!DOCTYPE a [{entities}{external}]>{rest}"
        return changed.replace("><", ">&e8;&f;<", 3).encode("utf-8", "surrogateescape"), "entities"
    start, end = random.choice(spans)
    word = random.choice(_WORDS)
    changed = text[:start] + word + text[end:]
    return changed.encode("utf-8", "surrogateescape"), f"{text[start:end]!r} -> {word[:40]!r}"


XML: tuple[Mutator, ...] = (xml_text, xml_text, line_order, encoding, *BYTES)


def damage(content: bytes, mutators: Sequence[Mutator], random: Random) -> tuple[bytes, str]:
    """Damages content in one way, or now and then in two or three of any bytes."""
    content, what = random.choice(mutators)(content, random)
    if random.random() < 0.2:
        for _ in range(random.randint(1, 2)):
            content, more = random.choice(BYTES)(content, random)
            what += "; " + more
    return content, what
