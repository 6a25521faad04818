"""The lines before `env.sh`, run by the shells that run them in images: dash and busybox."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesmith.image.start import MAX_FILES, with_prelude

SHELLS = (("dash",), ("busybox", "sh"))
Run = Callable[..., subprocess.CompletedProcess[str]]
SHOW = 'echo "cookie=${RELEASE_COOKIE-none}"\n'


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    found: tuple[str, ...] = request.param
    assert shutil.which(found[0]), f"{found[0]} is missing: `apt-get install dash busybox-static`"
    return found


@pytest.fixture
def run(tmp_path: Path, shell: tuple[str, ...]) -> Run:
    """Source the file from a script with `set -eu`, as strict as a start script can be."""
    (tmp_path / "tmp").mkdir()

    def ran(
        own: str = SHOW, *, before: str = "", after: str = "", code: int = 0, **env: object
    ) -> subprocess.CompletedProcess[str]:
        (tmp_path / "env.sh").write_bytes(with_prelude(f"#!/bin/sh\n{own}".encode()))
        (tmp_path / "start").write_text(f'set -eu\n{before}\n. "$(dirname "$0")/env.sh"\n{after}\n')
        held = {"PATH": os.environ["PATH"], "RELEASE_TMP": str(tmp_path / "tmp")}
        done = subprocess.run(
            [*shell, str(tmp_path / "start")],
            env=held | {name: str(value) for name, value in env.items()},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        return done

    return ran


def cookie(done: subprocess.CompletedProcess[str]) -> str:
    assert done.stderr == ""
    (found,) = re.findall(r"^cookie=(.*)$", done.stdout, re.MULTILINE)
    return str(found)


def test_a_cookie_that_is_given_is_taken_and_none_is_made(run: Run, tmp_path: Path) -> None:
    assert cookie(run(RELEASE_COOKIE="given")) == "given"
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_file_gives_the_cookie_without_its_line_end(
    run: Run, tmp_path: Path, end: str
) -> None:
    (tmp_path / "secret").write_bytes(f"se cret{end}".encode())
    assert cookie(run(RELEASE_COOKIE_FILE=tmp_path / "secret")) == "se cret"


def test_a_given_cookie_wins_over_the_file_and_an_empty_one_does_not(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    file = {"RELEASE_COOKIE_FILE": tmp_path / "secret"}
    assert cookie(run(RELEASE_COOKIE="given", **file)) == "given"
    assert cookie(run(RELEASE_COOKIE="", **file)) == "secret"


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_a_secret_file_that_cannot_be_read_ends_the_start_in_words(
    run: Run, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder").mkdir()
    done = run(code=1, RELEASE_COOKIE_FILE=tmp_path / name)
    assert f"ERROR: the cookie cannot be read from {tmp_path}/{name}\n" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("text", ["", "\n"])
def test_an_empty_secret_file_ends_the_start_in_words(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    done = run(code=1, RELEASE_COOKIE_FILE=tmp_path / "secret")
    assert done.stderr == f"ERROR: there is no cookie in {tmp_path}/secret: it is empty\n"


def test_a_container_makes_its_own_cookie_once_for_its_owner_alone(
    run: Run, tmp_path: Path
) -> None:
    made = cookie(run(before="umask 000"))
    assert re.fullmatch("[0-9a-f]{64}", made)
    assert cookie(run()) == made
    (file,) = (tmp_path / "tmp").iterdir()
    assert file.name == ".release_cookie"
    assert file.read_text() == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_containers_make_different_cookies(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert cookie(run()) != cookie(run(RELEASE_TMP=tmp_path / "other"))


def test_many_starts_at_once_agree_on_one_cookie(tmp_path: Path, shell: tuple[str, ...]) -> None:
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "start").write_bytes(with_prelude(SHOW.encode()))
        starts = [
            subprocess.Popen(
                [*shell, str(folder / "start")],
                env={"PATH": os.environ["PATH"], "RELEASE_TMP": str(folder)},
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(6)
        ]
        assert len({start.communicate()[0] for start in starts}) == 1
        assert {path.name for path in folder.iterdir()} == {"start", ".release_cookie"}


@pytest.mark.parametrize("place", ["file/below", "/proc/self"])
def test_where_no_cookie_can_be_made_the_start_ends_in_words(
    run: Run, tmp_path: Path, place: str
) -> None:
    """Neither takes new files, from root either."""
    (tmp_path / "file").write_text("")
    tmp = tmp_path / place
    done = run(code=1, RELEASE_TMP=tmp)
    assert done.stderr.endswith(
        f"ERROR: no cookie can be made in {tmp}: make it writable (--tmpfs /tmp), "
        "or set RELEASE_COOKIE or RELEASE_COOKIE_FILE\n"
    )
    assert done.stdout == ""


def test_where_there_is_no_randomness_no_empty_cookie_is_made(run: Run, tmp_path: Path) -> None:
    done = run(code=1, before="od() { return 1; }")
    assert "ERROR: no cookie can be made" in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_cookie_that_another_user_made_ends_the_start_in_words(run: Run, tmp_path: Path) -> None:
    """A folder in its place: root can read every file."""
    (tmp_path / "tmp/.release_cookie").mkdir()
    (tmp_path / "tmp/.release_cookie/x").mkdir()
    done = run(code=1)
    assert "tmp/.release_cookie: another user made it\n" in done.stderr


def test_the_releases_own_lines_come_after_and_have_the_last_word(run: Run) -> None:
    own = "export RELEASE_COOKIE=own ERL_CRASH_DUMP_BYTES=7 RELEASE_NODE=a@b\n"
    done = run(own + SHOW + 'echo "$ERL_CRASH_DUMP_BYTES $RELEASE_NODE"\n')
    assert done.stdout == "cookie=own\n7 a@b\n"


def test_the_cookie_is_exported_and_no_other_name_is_left_behind(run: Run) -> None:
    done = run("env | grep ^RELEASE_COOKIE=; set | grep ^smith || true\n")
    assert re.fullmatch("RELEASE_COOKIE=[0-9a-f]{64}\n", done.stdout)


@pytest.mark.parametrize(
    ("env", "shown"),
    [
        ({}, "0"),
        ({"ERL_CRASH_DUMP_BYTES": "5000"}, "5000"),
        ({"ERL_CRASH_DUMP": "/dumps/erl"}, "none"),
        ({"ERL_CRASH_DUMP": ""}, "0"),
    ],
)
def test_no_crash_dump_is_written_unless_a_path_or_size_is_given(
    run: Run, env: dict[str, str], shown: str
) -> None:
    done = run("", after="sh -c 'echo \"${ERL_CRASH_DUMP_BYTES-none}\"'", **env)
    assert done.stdout == f"{shown}\n"


def test_the_releases_own_env_sh_may_ask_for_a_crash_dump(run: Run) -> None:
    show = "echo ${ERL_CRASH_DUMP_BYTES-none}"
    assert run("export ERL_CRASH_DUMP=/tmp/dump\n", after=show).stdout == "none\n"


@pytest.mark.parametrize("limit", [256, 1024])
def test_a_small_limit_of_open_files_is_left_alone(run: Run, limit: int) -> None:
    assert run("ulimit -n\n", before=f"ulimit -n {limit}").stdout == f"{limit}\n"


@pytest.mark.parametrize("limit", ["unlimited", str(MAX_FILES + 1), "1073741816"])
def test_an_enormous_limit_of_open_files_is_lowered(run: Run, limit: str) -> None:
    """What the kernel allows here is less: so `ulimit` is a stand-in that remembers."""
    before = (
        f'limit={limit}\nulimit() {{ if [ $# = 2 ]; then limit="$2"; else echo "$limit"; fi; }}'
    )
    assert run('echo "$limit"\n', before=before).stdout == f"{MAX_FILES}\n"


@pytest.mark.parametrize(
    ("given", "first"),
    [
        (b"#!/bin/sh\nA=1\n", b"#!/bin/sh\n# --- by"),
        (b"A=1\n", b"# --- by"),
        (b"", b"# --- by"),
        (b"#!/bin/sh", b"#!/bin/sh\n# --- by"),
    ],
)
def test_a_first_line_that_names_the_shell_stays_the_first(given: bytes, first: bytes) -> None:
    made = with_prelude(given)
    assert made.startswith(first)
    assert (given.partition(b"\n")[2] if given.startswith(b"#!") else given) in made
