"""Help, errors and documents say the same words: what they name can be typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagesmith.cli.app import command_of
from imagesmith.cli.commands import COMMANDS, GROUPS
from tests.shop import REPO
from tests.typed import called

DOCUMENTS = [*REPO.glob("*.md"), *(REPO / "docs").glob("*.md")]
SOURCES = list((REPO / "imagesmith").rglob("*.py"))


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGESMITH_CACHE_DIR", raising=False)


def console_lines(text: str) -> list[str]:
    """What is typed in the shell blocks of a document, continued lines in one."""
    blocks = re.findall(r"```(?:console|sh|bash)\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_can_be_typed(name: str) -> None:
    lines = command_of(name).examples.splitlines()
    calls = [call for call in map(called, lines) if call]
    assert name in [command for command, _ in calls]
    for command, words in calls:
        command_of(command).parse(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.name))
def test_what_a_document_shows_can_be_typed(document: Path) -> None:
    for line in console_lines(document.read_text()):
        name, words = called(line) or ("imagesmith", [])
        if name in COMMANDS:
            command_of(name).parse(words)
        else:
            assert name in GROUPS, line


def test_a_command_that_is_named_somewhere_is_one_and_has_the_options_that_it_is_named_with() -> (
    None
):
    texts = [file.read_text() for file in (*SOURCES, *DOCUMENTS)]
    joined = re.sub(r'"\n\s+f?"', "", "\n".join(texts))  # a string that goes on in the next line
    named = set(re.findall(r"`(?:docker )?imagesmith ([a-z][^`\n\\]*)`", joined))
    assert len(named) > 30
    for said in named:
        words = said.split()
        name, rest = f"imagesmith {words[0]}", words[1:]
        if name in GROUPS and rest:
            name, rest = f"{name} {rest[0]}", rest[1:]
        assert name in COMMANDS or name in GROUPS, said
        options = {word for word in rest if word.startswith("-")} - {"--help"}
        if options:
            assert options <= {word for item in command_of(name).options for word in item.names}
