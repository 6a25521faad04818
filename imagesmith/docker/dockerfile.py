"""The stages of a Dockerfile, so that more can be put on top of one.

Only as much of the language is read as it takes to find every FROM: parser directives, comments,
continued lines and here-documents (moby/buildkit, "frontend/dockerfile/parser").
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imagesmith.errors import UsageError

__all__ = ["SCRIPTS", "Dockerfile", "Stage", "placed", "script_context"]

SCRIPTS = "imagesmith-script"
"""The named context of a script of ours: as a step's text it would fill the log."""

_ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)\s*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*[a-zA-Z]\w*\s*=.*")
_FROM = re.compile(
    r"\s*FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?\s*", re.IGNORECASE
)
_HEREDOC = re.compile(r"\d*<<(?P<tabs>-?)(?P<quote>['\"]?)(?P<end>[^<'\"\s]+)(?P=quote)")
_WITH_HEREDOC = re.compile(r"\s*(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stage:
    """A FROM: its name, if it has one, and the last line of the instruction, from 0."""

    name: str | None
    line: int


class Dockerfile:
    """The text of a Dockerfile and its stages."""

    def __init__(self, text: str, place: str) -> None:
        self.place = place
        # Not splitlines(): a here-document may hold a form feed or U+2028, which end no line.
        self.lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        self.stages = list(_stages(self.lines))

    @classmethod
    def read(cls, path: Path) -> Dockerfile:
        """Read a file. Raises UsageError if it cannot be read, or has no stage."""
        try:
            found = cls(path.read_text(encoding="utf-8-sig"), str(path))
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UsageError(f"{path}: is not UTF-8 text, so no Dockerfile") from None
        if not found.stages:
            raise UsageError(f"{path}: has no FROM, so it builds no image")
        return found

    @property
    def text(self) -> str:
        """The text, ending with a line's end."""
        return "\n".join(self.lines) + "\n"

    def find(self, target: str | None) -> int:
        """The number of the stage of this name or number; the last one without.

        Raises UsageError, listing the stages, if there is none.
        """
        if target is None:
            return len(self.stages) - 1
        for number, stage in reversed(list(enumerate(self.stages))):
            # BuildKit compares them in lower case, and the later of two wins.
            if stage.name and stage.name.lower() == target.lower():
                return number
        if target.isascii() and target.isdigit() and int(target) < len(self.stages):
            return int(target)
        named = ", ".join(stage.name for stage in self.stages if stage.name)
        raise UsageError(
            f"{self.place}: there is no stage {target}; its stages are: {named or 'without names'}",
            hint="Correct `target:`, or leave it out for the last stage.",
        )

    def extended(self, target: str | None, lines: Sequence[str], *, alias: str) -> str:
        """The text with more stages at its end; in them `alias` is the stage `target`.

        A FROM takes no number, so a stage without a name is given one.
        """
        stage, text = self.stages[self.find(target)], list(self.lines)
        if stage.name is None:
            text[stage.line] = f"{text[stage.line].rstrip()} AS {alias}"
            return "\n".join([*text, "", *lines]) + "\n"
        return "\n".join([*text, "", f"FROM {stage.name} AS {alias}", *lines]) + "\n"


@contextmanager
def placed(text: str, original: Path, ignore: str | None = None) -> Iterator[Path]:
    """The text as a Dockerfile in a folder of its own, with what is not to be sent beside it.

    That is what the `original` has beside it (`Dockerfile.dockerignore` counts for a `Dockerfile`
    alone), else `ignore`, else the context's own `.dockerignore`, which BuildKit finds itself.
    """
    own = original.with_name(f"{original.name}.dockerignore")
    with tempfile.TemporaryDirectory(prefix="imagesmith-dockerfile-") as folder:
        file = Path(folder) / "Dockerfile"
        file.write_text(text)
        if own.is_file():
            shutil.copyfile(own, f"{file}.dockerignore")
        elif ignore is not None:
            Path(f"{file}.dockerignore").write_text(ignore)
        yield file


def script_context(dockerfile: Path, name: str, text: str) -> dict[str, str]:
    """Put a script beside a `placed` Dockerfile; returns the named context that holds it."""
    folder = dockerfile.parent / "script"
    folder.mkdir()
    (folder / name).write_text(text)
    return {SCRIPTS: str(folder)}


def _stages(lines: Sequence[str]) -> Iterator[Stage]:
    escape, number = "\\", 0
    while number < len(lines) and _DIRECTIVE.fullmatch(lines[number].strip()):
        if found := _ESCAPE.fullmatch(lines[number].strip()):
            escape = found[1]
        number += 1
    while number < len(lines):
        if _is_empty(lines[number]):
            number += 1
            continue
        words, last = "", number
        while True:
            line = lines[number].rstrip()
            number += 1
            if _is_empty(line) and words:
                pass  # comments and empty lines may stand between continued lines
            else:
                last = number - 1
                continued = line.endswith(escape)
                words += line.removesuffix(escape) if continued else line
                if not continued:
                    break
            if number == len(lines):
                break
        if found := _FROM.fullmatch(words):
            yield Stage(found["name"], last)
        elif _WITH_HEREDOC.match(words):
            for document in filter(None, map(_HEREDOC.fullmatch, words.split())):
                number = _after_heredoc(lines, number, document)


def _after_heredoc(lines: Sequence[str], number: int, document: re.Match[str]) -> int:
    while number < len(lines):
        line = lines[number]
        number += 1
        if (line.lstrip("\t") if document["tabs"] else line) == document["end"]:
            break
    return number


def _is_empty(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
