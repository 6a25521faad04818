"""The man pages in docs/man: that they say what `--help` says, and that man reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from imagesmith.cli.commands import COMMANDS, GROUPS
from imagesmith.cli.man import pages
from tests.cli.conftest import Smith
from tests.shop import REPO

MAN = REPO / "docs/man"
NAMES = [*COMMANDS, *GROUPS]


def test_the_pages_are_those_of_the_commands_that_there_are() -> None:
    written = {path.name: path.read_text() for path in MAN.iterdir()}
    assert written == pages(), "`make man` writes them anew"


@pytest.mark.oracle
def test_mandoc_finds_nothing_wrong_but_that_they_have_no_date() -> None:
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *sorted(MAN.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    said = {line.partition(": ")[2].partition(": ")[2] for line in done.stdout.splitlines()}
    assert said == {'WARNING: missing date, using "": TH'}


@pytest.mark.oracle
@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_help_says_word_for_word(smith: Smith, name: str) -> None:
    page = MAN / f"{name.replace(' ', '-')}.1"
    shown = read(page)
    assert f"{name.replace(' ', '-')} - " in shown
    told = smith(*name.split()[1:], "--help").stdout
    assert words(shown.partition("\nSYNOPSIS\n")[2]) == words(told.partition("Usage:")[2])


def read(page: Path) -> str:
    """The page as mandoc shows it, without the bold and underlined that it overstrikes."""
    done = subprocess.run(
        ["mandoc", "-T", "utf8", page], capture_output=True, text=True, check=True
    )
    return re.sub(".\b", "", done.stdout)


def words(text: str) -> list[str]:
    """The words between the headings: what a page has besides is what else there is to read."""
    said = text.replace("`", "").partition("\nSEE ALSO\n")[0]
    said = re.sub(r"^[^`\n]* COMMAND --help tells more .*$", "", said, flags=re.MULTILINE)
    said = re.sub(
        r"^(EXIT STATUS|[A-Z]+)$|^([A-Z][a-z]+:$)|^Exit codes:", "", said, flags=re.MULTILINE
    )
    return said.split()
