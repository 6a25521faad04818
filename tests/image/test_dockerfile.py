"""The stages of a Dockerfile are found whatever stands between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.docker.dockerfile import Dockerfile, placed
from imagesmith.errors import UsageError

TEXT = """\
# syntax=docker/dockerfile:1
# escape=`

ARG X=1
from --platform=$BUILDPLATFORM debian:12 As First
RUN echo `
  # FROM a comment
  FROM not-a-stage
RUN <<EOF cat <<-'TAB'
FROM not-a-stage
EOF
FROM neither
\tTAB
COPY <<"A B" /x
FROM x
"A B"
ENV A=<<EOF
FROM first
FROM `
  scratch
"""


def test_a_from_is_one_wherever_buildkit_takes_it_for_one() -> None:
    found = Dockerfile(TEXT.replace('<<"A B" /x', "<<AB /x").replace('"A B"', "AB"), "x")
    assert [stage.name for stage in found.stages] == ["First", None, None]
    assert found.stages[2].line == len(found.lines) - 1


@pytest.mark.parametrize(
    ("target", "number"), [("first", 0), ("FIRST", 0), ("1", 1), (None, 2), ("0", 0)]
)
def test_a_target_is_a_name_in_any_case_or_a_number(target: str | None, number: int) -> None:
    found = Dockerfile("FROM a AS First\nFROM b\nFROM c\n", "x")
    assert found.find(target) == number


@pytest.mark.parametrize("target", ["nope", "3", "-1", "\u0661"])
def test_another_target_is_refused(target: str) -> None:
    found = Dockerfile("FROM a AS First\nFROM b\nFROM c\n", "here")
    with pytest.raises(UsageError, match=r"here: there is no stage .*; its stages are: First"):
        found.find(target)


def test_a_stage_without_a_name_gets_one_and_others_keep_theirs() -> None:
    found = Dockerfile("FROM a AS one\r\nFROM \\\n  b", "x")
    assert found.extended(None, ["RUN x"], alias="own") == (
        "FROM a AS one\nFROM \\\n  b AS own\n\nRUN x\n"
    )
    assert found.extended("one", ["RUN x"], alias="own").endswith("  b\n\nFROM one AS own\nRUN x\n")


@pytest.mark.parametrize("text", ["", "# FROM x\n", "RUN <<EOF\nFROM x\n"])
def test_a_file_without_a_stage_is_no_dockerfile(text: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(text)
    with pytest.raises(UsageError, match="has no FROM"):
        Dockerfile.read(tmp_path / "Dockerfile")


def test_what_is_not_to_be_sent_goes_with_the_dockerfile(tmp_path: Path) -> None:
    with placed("FROM a\n", tmp_path / "Dockerfile", "ours\n") as file:
        assert Path(f"{file}.dockerignore").read_text() == "ours\n"
    (tmp_path / "Dockerfile.dockerignore").write_text("theirs\n")
    with placed("FROM a\n", tmp_path / "Dockerfile", "ours\n") as file:
        assert Path(f"{file}.dockerignore").read_text() == "theirs\n"
