"""The head of relx's and Distillery's start scripts, run by the shells of images."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from imagesmith.image.start import with_script_prelude

SHELLS = (("dash",), ("busybox", "sh"), ("bash",))
Run = Callable[..., subprocess.CompletedProcess[str]]
SHOW = b'echo "$VMARGS_PATH|${RELX_OUT_FILE_PATH-}|${RELEASE_MUTABLE_DIR-}"\ncat "$VMARGS_PATH"*\n'


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    found: tuple[str, ...] = request.param
    assert shutil.which(found[0]), f"{found[0]} is missing: `apt-get install dash busybox-static`"
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A release with a vm.args, and a folder to write into."""
    root = tmp_path / "app"
    (root / "bin").mkdir(parents=True)
    (root / "releases/0.1.0+a b").mkdir(parents=True)
    (root / "releases/0.1.0+a b/vm.args").write_text("-name a@b\n")
    (tmp_path / "tmp").mkdir()
    return root


@pytest.fixture
def run(root: Path, tmp_path: Path, shell: tuple[str, ...]) -> Run:
    def ran(
        command: str = "foreground",
        *,
        body: bytes = SHOW,
        variables: tuple[str, ...] = (),
        relx: bool = True,
        code: int = 0,
        **env: object,
    ) -> subprocess.CompletedProcess[str]:
        script = with_script_prelude(
            b"#!/bin/sh\nset -e\n" + body, "0.1.0+a b", variables, relx=relx
        )
        (root / "bin/shop").write_bytes(script)
        held = {"PATH": "/usr/bin:/bin", "RELEASE_TMP": str(tmp_path / "tmp")}
        done = subprocess.run(
            [*shell, str(root / "bin/shop"), command],
            env=held | {name: str(value) for name, value in env.items()},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        return done

    return ran


def test_the_vm_gets_the_releases_vm_args_with_the_cookie(run: Run, tmp_path: Path) -> None:
    done = run(RELEASE_COOKIE="given")
    place = tmp_path / "tmp/.release-run"
    assert done.stdout == f"{place}/in/vm.args|{place}|\n-name a@b\n\n-setcookie given\n"
    assert done.stderr == ""
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_without_one_it_makes_its_own_and_keeps_it(run: Run) -> None:
    made = re.findall("-setcookie ([0-9a-f]{64})\n", run().stdout)
    assert made == re.findall("-setcookie (.*)\n", run("ping").stdout)


@pytest.mark.parametrize(
    ("env", "cookie"),
    [
        ({"RELX_COOKIE": "relx"}, "relx"),
        ({"MINE": "mine"}, "mine"),
        ({"RELEASE_COOKIE": "ours", "RELX_COOKIE": "relx", "MINE": "mine"}, "ours"),
        ({"RELX_COOKIE": "", "MINE": "mine"}, "mine"),
    ],
)
def test_the_variables_that_gave_a_cookie_before_still_do(
    run: Run, env: dict[str, str], cookie: str
) -> None:
    done = run(variables=("RELX_COOKIE", "MINE"), body=SHOW + b"echo ${RELX_COOKIE-none}\n", **env)
    assert done.stdout.endswith(f"\n-setcookie {cookie}\nnone\n")


def test_what_relx_fills_in_is_copied_as_such(run: Run, root: Path, tmp_path: Path) -> None:
    (root / "releases/0.1.0+a b/vm.args.src").write_text("-name ${N}")
    done = run(RELEASE_COOKIE="c")
    assert done.stdout.partition("\n")[2] == "-name ${N}\n-setcookie c\n"
    assert [path.name for path in (tmp_path / "tmp/.release-run/in").iterdir()] == ["vm.args.src"]


def test_what_relx_filled_in_before_it_was_packed_is_not_taken(run: Run, root: Path) -> None:
    (root / "releases/0.1.0+a b/vm.args.orig").write_text("-name ${N}\n")
    assert "-name ${N}\n" in run(RELEASE_COOKIE="c").stdout


@pytest.mark.parametrize("place", ["app/vm.args", "mounted/vm.args", "mounted/vm.args.src"])
def test_a_vm_args_that_is_mounted_wins_and_so_does_its_cookie(
    run: Run, tmp_path: Path, place: str
) -> None:
    (tmp_path / "mounted").mkdir()
    (tmp_path / place).write_text("-name c@d\n-setcookie theirs\n")
    env = {"VMARGS_PATH": tmp_path / "mounted/vm.args"} if place.startswith("mounted") else {}
    done = run(RELEASE_COOKIE="ours", **env)
    assert done.stdout.partition("\n")[2] == "-name c@d\n-setcookie theirs\n"


def test_another_command_leaves_the_nodes_files_alone(run: Run, tmp_path: Path) -> None:
    run(RELEASE_COOKIE="c")
    before = (tmp_path / "tmp/.release-run/in/vm.args").stat()
    done = run("ping", RELEASE_COOKIE="c")
    assert re.match(rf"{tmp_path}/tmp/\.release-run-\d+/in/vm\.args\|", done.stdout)
    assert (tmp_path / "tmp/.release-run/in/vm.args").stat() == before


def test_what_other_commands_left_is_swept_away(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tmp/.release-run-1").mkdir()  # process 1 is there
    for dead in ("99999999", "99999999-99999998.new"):
        (tmp_path / f"tmp/.release-run-{dead}").mkdir()
    for _ in range(3):
        run("ping", RELEASE_COOKIE="c")
    names = {path.name for path in (tmp_path / "tmp").iterdir()}
    assert ".release-run-1" in names
    assert not [name for name in names if "9999" in name]
    assert len(names) == 2


def test_a_folder_that_the_user_named_is_used(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = run(RELEASE_COOKIE="c", RELX_OUT_FILE_PATH=tmp_path / "out")
    assert f"|{tmp_path}/out|" in done.stdout


def test_distillery_is_told_by_exported_variables(run: Run, tmp_path: Path) -> None:
    show = b"env | grep -E '^(VMARGS_PATH|RELEASE_MUTABLE_DIR)='\n"
    done = run(body=show, relx=False, RELEASE_COOKIE="c")
    assert sorted(done.stdout.splitlines()) == [
        f"RELEASE_MUTABLE_DIR={tmp_path}/tmp/.release-run",
        f"VMARGS_PATH={tmp_path}/tmp/.release-run/in/vm.args",
    ]


@pytest.mark.parametrize("cookie", ["a b", "a'b", 'a"b', "a#b", "a\\b", "${A}", "-a", "+a", "a\nb"])
def test_a_cookie_that_the_scripts_would_tear_apart_is_refused(run: Run, cookie: str) -> None:
    done = run(code=1, RELEASE_COOKIE=cookie)
    assert done.stderr.startswith("ERROR: the cookie must be of letters, digits and ")


@pytest.mark.parametrize("cookie", ["abc-DEF_0", "a+b/c=", "x.y@z%", "a~b^c,d:e"])
def test_other_cookies_are_taken_as_they_are(run: Run, cookie: str) -> None:
    assert run(RELEASE_COOKIE=cookie).stdout.endswith(f"\n-setcookie {cookie}\n")


def test_where_nothing_can_be_written_it_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(code=1, RELEASE_COOKIE="c", RELEASE_TMP=tmp_path / "file")
    assert "ERROR: " in done.stderr
    assert f"cannot be copied to {tmp_path}/file: make it writable (--tmpfs /tmp)" in done.stderr


def test_no_name_of_ours_is_left_behind(run: Run) -> None:
    for relx in (True, False):
        done = run(body=b"set | grep ^smith || true\n", relx=relx, RELEASE_COOKIE="c")
        assert done.stdout == ""
