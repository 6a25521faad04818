"""The runner's language: escapes, outputs of many lines, a summary that fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.cli.action.summary import plan_section, summary
from imagesmith.cli.action.told import Told
from imagesmith.cli.action.workflow import (
    SUMMARY_LIMIT,
    annotate,
    cut,
    group,
    write_outputs,
    write_summary,
)
from tests.action.runner import assignments, read_annotations

HARD = "50% of\r\na: b, c\n::error::not this\nimagesmith-0<<x"


def test_an_annotation_is_one_line_and_says_what_it_was_given(
    capsys: pytest.CaptureFixture[str],
) -> None:
    annotate("error", HARD, title="a:b,c%\n", line=7)
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    [found] = read_annotations(said)
    assert found.message == HARD
    assert found.properties == {"title": "a:b,c%\n", "line": "7"}


def test_nothing_in_a_group_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with group("imagesmith build\n::error::x"):
        print("::error::a compiler's words")
        print("::stop-commands::0")
    annotate("warning", "after it")
    found = read_annotations(capsys.readouterr().out)
    assert [item.message for item in found] == ["after it"]


def test_outputs_keep_every_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "output"
    monkeypatch.setenv("GITHUB_OUTPUT", str(file))
    values = {"one": "text", "hard": HARD.replace("\r", ""), "empty": "", "end": "imagesmith-0"}
    write_outputs(values)
    write_outputs({"more": "x"})
    assert assignments(file.read_text()) == values | {"more": "x"}


@pytest.mark.parametrize("limit", [0, 1, 70, 1000, 5000])
def test_what_is_too_long_is_cut_between_lines(limit: int) -> None:
    text = "ü" * 30 + "\n"
    data = cut(text * 100, limit)
    assert len(data) <= limit
    if limit > 100:
        *lines, _, said, _ = data.decode().split("\n")
        assert "1 MiB" in said
        assert set(lines) == {"ü" * 30}


def test_a_summary_fits_into_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "summary"
    file.write_text("x" * 1000)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    told = Told()
    for number in range(40_000):
        told.hear(
            f'{{"layer": "app{number}", "group": "own", "digest": "sha256:0", "bytes": 1, '
            '"found": null}'
        )
    told.hear('{"image": "shop", "version": "1", "digest": "d", "bytes": 1, "release": "x"}')
    write_summary(summary(told, ["shop:1@sha256:0"], None, ""))
    assert SUMMARY_LIMIT - 200 < file.stat().st_size <= SUMMARY_LIMIT
    assert "shop:1@sha256:0" in file.read_text()


def test_names_in_a_summary_are_only_names() -> None:
    told = Told()
    name = "a|b</summary><img src=x>`[x](y)"
    told.hear(f'{{"layer": "{name}", "group": "own", "digest": "d", "bytes": 1, "found": null}}')
    told.hear('{"image": "shop", "version": "1", "digest": "d", "bytes": 1, "release": "x"}')
    text = summary(told, ["shop:1"], "```x", "")
    assert "<img" not in text
    [row] = [line for line in text.splitlines() if "img" in line]
    assert row.replace("\\|", "").count("|") == 5
    assert "````\n```x\n````" in text


def test_a_plan_says_its_verdict_and_the_way_out() -> None:
    says = "<b>Shop_Cart</b> has no `code_change: [<x>]` of *its* own"
    section = plan_section(
        {
            "name": "shop",
            "before": {"version": "0.1.0", "place": "a"},
            "after": {"version": "0.2.0", "place": "b"},
            "verdict": "restart",
            "nothing_to_do": False,
            "reasons": [{"verdict": "restart", "says": says, "way_out": "Do it."}],
            "applications": [{"name": "shop", "before": "0.1.0", "after": "0.2.0"}],
            "ships": {"files": 3, "bytes": 70_000},
        }
    )
    assert "**restart**" in section
    assert "70.0 kB in 3 files" in section
    assert (
        r"- *restart*: &lt;b&gt;Shop\_Cart&lt;/b&gt; has no `code_change: [<x>]` of \*its\* own. "
        "Do it."
    ) in section


def test_words_that_are_no_json_are_an_error_s() -> None:
    told = Told()
    told.hear('{"note": "embedded engine"}')
    assert told.hear("imagesmith: shop.yml:2:1: a") == "imagesmith: shop.yml:2:1: a"
    told.hear("imagesmith: shop.yml:3:1: b")
    told.hear("  the way out")
    assert told.error == "shop.yml:2:1: a"
    assert told.error_in_full == "shop.yml:2:1: a\nshop.yml:3:1: b\n  the way out"
    died = Told()
    died.hear("Traceback (most recent call last):")
    died.hear("MemoryError")
    assert died.error == died.error_in_full == "MemoryError"
