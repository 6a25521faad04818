"""What was found out once, kept in the cache folder for whoever asks the same again.

Nothing rests on a memo: one that is missing, damaged, or of another version of this program is a
reason to find out again, and never a failure.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from imagesmith import __version__
from imagesmith.errors import BaseError
from imagesmith.oci.spec import Json, digest_of, parse, to_bytes

__all__ = ["MEMOS", "Memo", "edition"]

MEMOS = "memos"
"""Their folder in the cache."""


class Memo:
    """Answers, as JSON objects, by what was asked; in `folder`, if there is one.

    `program` says whose answers they are: another program, or an edited one, may find others.
    """

    def __init__(self, folder: Path | None, *program: Json) -> None:
        self._folder = folder
        self._program = (__version__, *program)

    def recall(self, *asked: Json) -> Mapping[str, Json] | None:
        """The answer to what was asked, if it was kept."""
        if self._folder is None:
            return None
        with suppress(OSError, BaseError, UnicodeEncodeError):
            digest, _, body = self._place(self._folder, asked).read_bytes().partition(b"\n")
            if digest.decode("ascii", "replace") == digest_of(body):
                return parse(body, "memo")
        return None

    def keep(self, answer: Mapping[str, Json], *asked: Json) -> None:
        """Keep an answer; where that is not possible, the next build will find out again."""
        if self._folder is None:
            return
        with suppress(OSError, UnicodeEncodeError):  # a path may be no UTF-8
            body = to_bytes(answer)
            place = self._place(self._folder, asked)
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", dir=self._folder)
            temporary = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(digest_of(body).encode() + b"\n" + body)
                temporary.replace(place)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def _place(self, folder: Path, asked: tuple[Json, ...]) -> Path:
        return folder / digest_of(to_bytes([*self._program, *asked])).removeprefix("sha256:")


def edition(*folders: Path) -> list[Json]:
    """Tells these folders of Python code from edited ones: names, sizes and times of the files."""
    files: list[Json] = []
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as found:
            for file in sorted(found, key=lambda file: file.name):
                if file.name.endswith(".py"):
                    status = file.stat()
                    files.append([file.name, status.st_size, status.st_mtime_ns])
    return files
