"""What a build has found out about a base, kept for the next build of a release that asks the same.

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
from imagesmith.beam.module import SCHEME
from imagesmith.errors import BaseError
from imagesmith.layer.tar import WRITER
from imagesmith.oci.spec import Json, digest_of, parse, to_bytes

__all__ = ["Memo"]

FOLDER = "bases"


class Memo:
    """Answers, as JSON objects, by what was asked; in the cache folder `root`, if there is one."""

    def __init__(self, root: Path | None) -> None:
        self._folder = root / FOLDER if root else None

    def recall(self, *asked: Json) -> Mapping[str, Json] | None:
        """The answer to what was asked, if it was kept."""
        if self._folder is None:
            return None
        with suppress(OSError, BaseError):
            digest, _, body = self._place(asked).read_bytes().partition(b"\n")
            if digest.decode("ascii", "replace") == digest_of(body):
                return parse(body, "memo")
        return None

    def keep(self, answer: Mapping[str, Json], *asked: Json) -> None:
        """Keep an answer; where that is not possible, the next build will find out again."""
        if self._folder is None:
            return
        body = to_bytes(answer)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", dir=self._folder)
            temporary = Path(name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(digest_of(body).encode() + b"\n" + body)
                temporary.replace(self._place(asked))
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def _place(self, asked: tuple[Json, ...]) -> Path:
        assert self._folder
        key = digest_of(to_bytes([*_program(), *asked]))
        return self._folder / key.removeprefix("sha256:")


def _program() -> list[Json]:
    """Whose answer it is: another version of this program, or an edited one, may find another."""
    files: list[Json] = []
    with suppress(OSError), os.scandir(Path(__file__).parent) as found:
        for file in sorted(found, key=lambda file: file.name):
            if file.name.endswith(".py"):
                status = file.stat()
                files.append([file.name, status.st_size, status.st_mtime_ns])
    return [__version__, SCHEME, WRITER, files]
