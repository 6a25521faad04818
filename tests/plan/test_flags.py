"""vm.args: flags that differ are remarked on, without their values."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.beam.release import read_release
from imagesmith.beam.tree import Folder
from imagesmith.plan.code import Running
from imagesmith.plan.flags import vm_flags
from tests.trees import make_release


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("+Bd\n", "## a comment\n+Bd\n", None),
        ("+S 4:4\n+Bd\n", "+Bd +S 4:4", None),
        ("-setcookie a\n", "", None),
        ("+S 4:4\n", "+S 8:8\n", "+S"),
        ("", "+Q 65536 -env KEY hunter2\n", "+Q, -env"),
    ],
)
def test_flags_that_differ_are_named(tmp_path: Path, old: str, new: str, names: str | None) -> None:
    sides = []
    for version, text in (("1", old), ("2", new)):
        release = make_release(tmp_path / version, version=version)
        (release / f"releases/{version}/vm.args").write_text(text)
        sides.append(Running(read_release(Folder(release))))
    said = [reason.says for reason in vm_flags(*sides)]
    expected = f"vm.args changes ({names}), and the running node keeps its flags"
    assert said == ([expected] if names else [])
