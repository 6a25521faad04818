"""A cookie is taken out of vm.args, and nothing else is touched."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.image.vm_args import NOTE, is_vm_args, read_vm_args


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (b"-setcookie abc\n", NOTE),
        (b"-name a@b\n-setcookie abc\n+K true\n", b"-name a@b\n" + NOTE + b"+K true\n"),
        (b"-name a@b -setcookie abc +K true\n", b"-name a@b \n" + NOTE + b"+K true\n"),
        (b"-setcookie\n  abc\n-sname x", NOTE + b"-sname x"),
        (b"-setcookie node@host abc\n-sname x\n", NOTE + b"-sname x\n"),
        (b'-setcookie "a b"\n', NOTE),
        (b"-setcookie 'a # b' # why\n-sname x\n", NOTE + b"# why\n-sname x\n"),
        (b"-setcookie a\\ b\n", NOTE),
        (b"-setcookie ${C:-a b}\n-sname x\n", NOTE + b"-sname x\n"),
        (b"-setcookie a\n-setcookie b\n", NOTE + NOTE),
    ],
)
def test_a_cookie_is_taken_out_wherever_it_stands(given: bytes, left: bytes) -> None:
    found = read_vm_args(given)
    assert found.sets_cookie
    assert found.without_cookie == left


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"+Bd\n",
        b"# -setcookie abc\n",
        b"-kernel x '-setcookie'\n",
        b'-kernel x "-setcookie abc"\n',
        b"-setcookies abc\n",
        b"-name ${NODE:-x -setcookie y}\n",
        b"-unclosed 'quote\n",
        b"\xff\x00",
    ],
)
def test_where_there_is_none_no_byte_changes(text: bytes) -> None:
    found = read_vm_args(text)
    assert not found.sets_cookie
    assert found.without_cookie == text


@given(
    st.lists(st.sampled_from([b"-setcookie", b" ", b"\n", b"#", b'"', b"'", b"\\", b"a", b"-x"]))
)
def test_what_is_left_has_no_cookie_and_is_left_alone(parts: list[bytes]) -> None:
    found = read_vm_args(b"".join(parts))
    again = read_vm_args(found.without_cookie)
    assert not again.sets_cookie
    assert again.without_cookie == found.without_cookie


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"-setcookie ${COOKIE}\n", ("COOKIE",)),
        (b"-setcookie ${MY_COOKIE:-secret}\n", ("MY_COOKIE",)),
        (b"-setcookie abc\n", ()),
        (b"-setcookie a${COOKIE}\n", ()),
        (b"-setcookie ${bad-name}\n", ()),
        (b"-name ${NODE}\n", ()),
    ],
)
def test_a_variable_that_gives_the_cookie_is_known(text: bytes, names: tuple[str, ...]) -> None:
    assert read_vm_args(text).cookie_variables == names


def test_flags_are_told_with_their_values() -> None:
    text = b"-name ${N:-a@b}\n## +Q 1\n+Q 65536 -kernel inet_dist_listen_min 1\n-heart"
    assert read_vm_args(text).flags == (
        ("-name", ("${N:-a@b}",)),
        ("+Q", ("65536",)),
        ("-kernel", ("inet_dist_listen_min", "1")),
        ("-heart", ()),
    )


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("releases/1/vm.args", True),
        ("releases/1/vm.args.src", True),
        ("releases/1/remote.vm.args", True),
        ("vm.args", True),
        ("releases/2/vm.args", False),
        ("lib/a/vm.args", False),
        ("releases/1/my.vm.args", False),
    ],
)
def test_a_vm_args_is_known_by_its_place(path: str, verdict: bool) -> None:
    assert is_vm_args(path, "releases/1") is verdict


ERLANG = (
    b"-name a@b\n-setcookie 'se cret' # why\n+S 1 -kernel x \"a b\"\n-setcookie\nagain -extra y\n"
)


@pytest.mark.release
def test_erl_reads_the_rest_as_before(tmp_path: Path) -> None:
    """The oracle is erlexec: it prints with -emu_args_exit what it makes of a file."""
    assert shutil.which("erl"), "no erl; see .ci/tools elixir"

    def arguments(text: bytes) -> list[str]:
        (tmp_path / "vm.args").write_bytes(text)
        command = ["erl", "-args_file", str(tmp_path / "vm.args"), "-emu_args_exit"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )

    before, after = arguments(ERLANG), arguments(read_vm_args(ERLANG).without_cookie)
    assert "se cret" in before
    for word in ("-setcookie", "se cret", "-setcookie", "again"):
        before.remove(word)
    assert after == before
