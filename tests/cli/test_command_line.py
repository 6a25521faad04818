"""The command line itself: help, mistakes in it, and what is imported for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagesmith.cli.command import Command
from imagesmith.cli.commands import COMMANDS, GROUPS
from imagesmith.errors import UsageError
from tests.cli.conftest import Smith

HEAVY = {"pydantic", "yaml", "rich", "requests", "elftools", "python_on_whales"}
NAMES = [*COMMANDS, *GROUPS]


@pytest.fixture(autouse=True, scope="module")
def _unset() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("IMAGESMITH_CACHE_DIR", raising=False)
        yield


def _command(name: str) -> Command:
    module, _, function = COMMANDS[name][0].partition(":")
    return Command(name, getattr(import_module(f"imagesmith.cli.{module}"), function))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_tells_of_each_what_the_command_tells_itself(name: str) -> None:
    assert _command(name).summary == COMMANDS[name][1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_printed_for_every_command(smith: Smith, name: str, option: str) -> None:
    done = smith(*name.split()[1:], option)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {name} ")
    assert "\nOptions:\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Exit codes: 0 done, 1 ")


@pytest.mark.parametrize("columns", [50, 80])
@pytest.mark.parametrize("name", NAMES)
def test_help_is_as_wide_as_the_terminal(
    smith: Smith, name: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    told, _, _ = smith(*name.split()[1:], "--help").stdout.partition("\nExamples:\n")
    described = [line for line in told.splitlines() if not line.startswith("Usage:")]
    longest = max(described, key=len)
    assert len(longest) <= max(columns, 32 + 4 + 24), longest


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_without_a_command_shows_its_help_as_a_mistake(smith: Smith, name: str) -> None:
    words = name.split()[1:]
    done = smith(*words)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == smith(*words, "--help").stdout


def test_help_wins_over_whatever_else_is_said(smith: Smith) -> None:
    assert smith("build", "a", "b", "--nope", "--help").code == 0


def test_help_after_two_dashes_is_an_argument(smith: Smith) -> None:
    done = smith("build", "--", "--help")
    assert done.code == 2
    assert "--help: there is no such recipe" in done.stderr


MISTAKES: dict[str, str] = {
    "bild": "there is no command bild\n  Did you mean build?",
    "serve": "there is no command serve\n  `imagesmith --help` shows what there is.",
    "--versoin": "there is no option --versoin\n  Did you mean --version?",
    "cache lss": "cache: there is no command lss\n  Did you mean ls?",
    "cache --version": "cache: there is no option --version\n"
    "  `imagesmith cache --help` shows what there is.",
    "build --lod": "build: there is no option --lod\n  Did you mean --load?",
    "build --lod=1": "build: there is no option --lod\n  Did you mean --load?",
    "build --rel web": "build: there is no option --rel\n  Did you mean --release?",
    "build -x": "build: there is no option -x\n"
    "  `imagesmith build --help` shows those that there are.",
    "build --mode": "build: --mode needs a value: --mode cattle|pet\n"
    "  Usage: imagesmith build [OPTIONS] [RECIPE]",
    "build -t --push": "build: --tag/-t needs a value: --tag REF\n"
    "  Usage: imagesmith build [OPTIONS] [RECIPE]",
    "build -t -- a": "build: --tag/-t needs a value: --tag REF\n"
    "  Usage: imagesmith build [OPTIONS] [RECIPE]",
    "build --load=yes": "build: --load takes no value\n"
    "  Usage: imagesmith build [OPTIONS] [RECIPE]",
    "build --mode catle": "--mode catle: should be one of cattle, pet\n  Did you mean cattle?",
    "build --engine podman": "--engine podman: should be one of auto, embedded, buildkit",
    "build a b": "build: b is one argument too many\n  Usage: imagesmith build [OPTIONS] [RECIPE]",
    "cache why a": "cache why: B is missing\n  Usage: imagesmith cache why [OPTIONS] A B",
    "cache export": "cache export: FILE.tar is missing\n"
    "  Usage: imagesmith cache export [OPTIONS] FILE.tar [RECIPE...]",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_told_in_a_sentence_with_the_way_out(smith: Smith, line: str) -> None:
    done = smith(*line.split())
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == f"imagesmith: {MISTAKES[line]}\n"


@pytest.mark.parametrize(
    "line",
    [
        "x -t a --tag b --push --mode pet",
        "-t a x --push -t b --mode=pet",
        "--push -ta -tb --mode cattle --mode pet x",
        "--push --tag=a --tag=b --mode pet -- x",
    ],
)
def test_options_stand_anywhere_in_any_of_their_forms(line: str) -> None:
    assert _command("imagesmith build").parse(line.split()) == {
        "recipe": Path("x"),
        "tag": ["a", "b"],
        "push": True,
        "mode": "pet",
    }


def test_an_option_may_stand_between_arguments() -> None:
    """Even between one that is needed and those that are not."""
    values = _command("imagesmith cache export").parse("a.tar --max-size 1GB x.yml y.yml".split())
    assert values == {
        "file": Path("a.tar"),
        "max_size": "1GB",
        "recipe": [Path("x.yml"), Path("y.yml")],
    }


def test_a_single_dash_is_a_value_and_an_argument() -> None:
    assert _command("imagesmith init").parse(["-", "-o", "-"]) == {
        "folder": Path("-"),
        "output": "-",
    }


def test_an_environment_variable_gives_an_option_unless_it_is_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = _command("imagesmith cache stats")
    monkeypatch.setenv("IMAGESMITH_CACHE_DIR", "there")
    assert command.parse([]) == {"cache_dir": Path("there")}
    assert command.parse(["--cache-dir", "here"]) == {"cache_dir": Path("here")}
    monkeypatch.setenv("IMAGESMITH_CACHE_DIR", "")
    assert command.parse([]) == {}


def _imported(*words: str) -> set[str]:
    """The modules that a process has imported when it ends."""
    code = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        "from imagesmith.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("line", ["--version", "--help", *(name[11:] + " -h" for name in NAMES)])
def test_help_and_version_import_nothing_heavy(line: str) -> None:
    assert not HEAVY & _imported(*line.split())


def test_no_command_imports_another_one() -> None:
    imported = _imported("schema", "-h")
    modules = {f"imagesmith.cli.{where.partition(':')[0]}" for where, _ in COMMANDS.values()}
    assert modules & imported == {"imagesmith.cli.schema"}
    assert not {"argparse", "dataclasses"} & _imported("--version")


WORDS = st.lists(
    st.sampled_from(
        "-t --tag --tag= --push --push=1 --mode pet cattle -- - -1 -tx -xt a --no".split()
    )
    | st.text(max_size=5),
    max_size=6,
)


@settings(deadline=None)
@given(WORDS)
def test_whatever_is_written_is_understood_or_refused_in_words(words: list[str]) -> None:
    try:
        values = _command("imagesmith build").parse(words)
    except UsageError as error:
        assert error.message
    else:
        assert values.keys() <= {"recipe", "tag", "push", "mode"}
