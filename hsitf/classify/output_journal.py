"""Which files of a map an interrupted command has written already, so that it can be repeated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hsitf.array_files import DAMAGE
from hsitf.files import replacing, sha256

JOURNAL = "outputs.json"


def intermediate_folder(first: Path) -> Path:
    """Folder of the intermediate results of a map, beside the first file that is requested."""
    return first.with_name(f".{first.name}.parts")


@dataclass(frozen=True)
class OutputJournal:
    """SHA-256 of files, noted before they get their final names.

    A file that exists and is not, byte for byte, one of these is not replaced without being asked:
    it is the user's.

    Attributes:
        folder: Folder of the intermediate results; None where a map is not resumed.
    """

    folder: Path | None

    def note(self, path: Path, written: Path) -> None:
        """Notes that a file will be moved to `path`.

        Raises:
            OutputError: The folder cannot be written.
        """
        if self.folder is None:
            return
        known = self._known()
        known.setdefault(str(path.absolute()), []).append(sha256(written))
        with replacing(self.folder / JOURNAL) as temporary:
            temporary.write_text(json.dumps(known), encoding="utf-8")

    def has_written(self, path: Path) -> bool:
        """Whether a file is as this map's interrupted command wrote it."""
        noted = self._known().get(str(path.absolute()), [])
        return bool(noted) and path.is_file() and sha256(path) in noted

    def _known(self) -> dict[str, list[str]]:
        if self.folder is None or not (self.folder / JOURNAL).is_file():
            return {}
        try:
            content = json.loads((self.folder / JOURNAL).read_bytes())
            return {str(path): [str(one) for one in noted] for path, noted in content.items()}
        except DAMAGE:
            # What cannot be read vouches for nothing.
            return {}


UNRESUMED = OutputJournal(None)
