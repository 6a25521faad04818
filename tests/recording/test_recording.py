"""The recording in README.md, and what draws it."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from docs.recording.scene import COMMANDS, play
from docs.recording.svg import render
from docs.recording.terminal import ROWS, Terminal
from imagesmith.cli.app import command_of
from imagesmith.cli.commands import COMMANDS as KNOWN
from tests.shop import REPO
from tests.typed import called

SVG = REPO / "docs/images/recording.svg"
NAMESPACE = "{http://www.w3.org/2000/svg}"


def shown(svg: str) -> list[str]:
    """The lines of text in it, from above."""
    lines: dict[int, str] = {}
    for text in ElementTree.fromstring(svg).iter(f"{NAMESPACE}text"):
        y, column = int(text.attrib["y"]), int(text.attrib["x"]) // 8
        lines[y] = lines.get(y, "").ljust(column) + (text.text or "")
    return [lines[y] for y in sorted(lines)]


def typed(lines: list[str]) -> list[str]:
    """What stands after the prompts; a command of many lines is one."""
    text = "\n".join(lines).replace("\\\n> ", "\\\n")
    return re.findall(r"^\$ ((?:.*\\\n)*.*)$", text, re.MULTILINE)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path, os.environ)


def test_it_is_an_image_that_fetches_and_runs_nothing() -> None:
    svg = SVG.read_text()
    assert len(svg) < 300_000
    tags = {item.tag.removeprefix(NAMESPACE) for item in ElementTree.fromstring(svg).iter()}
    assert tags == {"svg", "title", "style", "g", "path", "rect", "text"}
    assert re.findall(r"\w+://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"(?i)url\(|@import|@font-face|href|\son\w+=|<!", svg)
    assert "prefers-color-scheme:dark" in svg
    assert "prefers-reduced-motion:reduce" in svg


def test_it_shows_the_commands_of_the_scene_and_each_can_be_typed() -> None:
    commands = [line for line in typed(shown(SVG.read_text())) if not line.startswith("#")]
    assert [line for line in commands if line] == list(COMMANDS)
    calls = [call for call in map(called, (text.replace("\\\n", " ") for text in COMMANDS)) if call]
    for name, words in calls:
        command_of(name).parse(words)
    assert {name.removeprefix("imagesmith ") for name, _ in calls} == {
        *("build", "plan", "upgrade", "status")
    }
    assert {name for name, _ in calls} <= KNOWN.keys()


def test_it_tells_nothing_of_the_machine_that_it_was_made_on() -> None:
    text = "\n".join(shown(SVG.read_text()))
    assert set(re.findall(r"(?<![\w./])/[\w/.-]*", text)) == {"/", "/tmp", "/upgrades"}
    assert os.uname().nodename not in text


def test_the_readme_shows_it() -> None:
    assert f"]({SVG.relative_to(REPO)})" in (REPO / "README.md").read_text()


def test_what_a_program_prints_is_there_in_its_colours(terminal: Terminal) -> None:
    terminal.run(r"printf 'a \033[1;36mb  c\033[0m\n'; printf '\033[2md<&\033[0m\n'")
    recording = terminal.recording()
    assert recording.text[1:] == ["a b  c", "d<&", "$"]
    assert [(run.column, run.text, run.look) for run in recording.lines[1]] == [
        (0, "a", ()),
        (2, "b  c", ("bold", "cyan")),
    ]
    assert recording.lines[2][0].look == ("brightblack",)
    svg = render(recording, "A <title>")
    assert shown(svg)[2:] == ["d<&", "$"]
    assert '<text x="16" y="31" textLength="32" class="bold cyan">b  c</text>' in svg


def test_at_its_beginning_and_end_it_stands_as_the_terminal_did(terminal: Terminal) -> None:
    terminal.run("seq 40")
    recording = terminal.recording()
    svg = render(recording, "x")
    scrolled = 42 - ROWS  # the command, forty numbers and a prompt
    assert f".lines{{transform:translateY(-{scrolled * 18}px)" in svg
    assert f".cover{{transform:translate(16px,{41 * 18}px)" in svg
    assert "@keyframes lines{0%{transform:translateY(0px)}" in svg
    assert "@keyframes cover{0%{transform:translate(16px,0px)}" in svg
    seconds = [moment.second for moment in recording.moments]
    assert seconds == sorted(seconds)
    assert len(seconds) > len("seq 40")  # each key has its own


def test_what_is_written_over_is_no_recording(terminal: Terminal) -> None:
    terminal.run(r"printf 'one\ntwo\n'")
    terminal.run(r"printf '\033[3Athree\n\n\n\n'")
    with pytest.raises(ValueError, match="written over"):
        terminal.recording()


def test_a_command_that_fails_ends_it(terminal: Terminal) -> None:
    with pytest.raises(CalledProcessError, match="exit 3"):
        terminal.run("exit 3")


@pytest.mark.container
def test_the_scene_goes_as_it_is_shown() -> None:
    """But for digests, times and sizes, which are those of the machine."""
    again = [line for line in play().text if line]
    before = shown(SVG.read_text())
    assert typed(again) == typed(before)
    for said in (
        "shop_all 0.1.0 → 0.2.0: hot",
        "imagesmith: 0.2.0 is permanent",
        "running    0.2.0",
        "old        0.1.0",
    ):
        assert said in before
        assert said in again
