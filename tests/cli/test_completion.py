"""What a shell is told when the user presses Tab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from imagesmith.cli.completion import answer

ASK = """
eval "$(imagesmith completion bash)"
COMP_WORDS=(imagesmith {words}) COMP_CWORD={cursor}
_imagesmith
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "candidates", "directive"),
    [
        (["cac"], ["cache"], 4),
        (["cache", "pr"], ["prune"], 4),
        (["cache", "--h"], ["--help"], 4),
        (["build", "--engine", ""], ["auto", "embedded", "buildkit"], 4),
        (["build", "--engine", "e"], ["embedded"], 4),
        (["build", "--engine=e"], ["--engine=embedded"], 0),
        (["build", "--upgrade-f"], ["--upgrade-from"], 4),
        (["build", "--iidfile", ""], [], 0),
        (["build", ""], [], 0),
        (["completion", "b"], ["bash"], 4),
        (["no-such-command", ""], [], 4),
    ],
)
def test_what_can_stand_there(words: list[str], candidates: list[str], directive: int) -> None:
    *found, last = answer(words).splitlines()
    assert [line.partition("\t")[0] for line in found] == candidates
    assert last == f":{directive}"


def test_help_stands_beside_each_option() -> None:
    assert "\t" in answer(["build", "--push"]).splitlines()[0]


@pytest.mark.parametrize(
    ("words", "found"),
    [("build --engine e", ["embedded"]), ("cache why --js", ["--json"]), ("cac", ["cache"])],
)
def test_bash_completes(words: str, found: list[str]) -> None:
    script = ASK.format(words=words, cursor=len(words.split()))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-euc", script], capture_output=True, text=True, check=True, env={"PATH": path}
    )
    assert done.stdout.split() == found
