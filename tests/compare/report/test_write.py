"""The files of a report: all of them, whole, or none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from imagesmith.compare.report.picture import picture
from imagesmith.compare.report.write import write_reports
from imagesmith.compare.scenario import Scenario
from tests.compare.report.made import FIGURES, comparison_of, static_one

SMALL = comparison_of(runs=1, scenarios=[Scenario.HOT])


def test_there_are_a_page_a_summary_a_document_and_a_picture(tmp_path: Path) -> None:
    written = write_reports(SMALL, tmp_path / "out", FIGURES)
    names = ["report.html", "report.md", "report.json", "compare.svg"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    assert json.loads(written[2].read_text())["name"] == "shop"


def test_where_nothing_ran_there_is_no_picture_not_even_an_older_one(tmp_path: Path) -> None:
    write_reports(SMALL, tmp_path, FIGURES)
    write_reports(static_one(), tmp_path, FIGURES)
    assert not (tmp_path / "compare.svg").exists()


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    before = [path.read_bytes() for path in write_reports(SMALL, tmp_path, FIGURES)]
    with pytest.raises(TypeError):
        write_reports(replace(SMALL, created=b"no text"), tmp_path, FIGURES)  # type: ignore[arg-type]
    files = [tmp_path / name for name in ("report.html", "report.md", "report.json", "compare.svg")]
    assert [path.read_bytes() for path in files] == before
    assert len(list(tmp_path.iterdir())) == len(files)


def test_any_name_is_in_a_file(tmp_path: Path) -> None:
    """A release's name can hold what UTF-8 cannot have: Python's stand-ins for stray bytes."""
    paths = write_reports(replace(SMALL, name="sh\udce9p\x00"), tmp_path, FIGURES)
    for path in paths:
        assert path.read_text()


def test_the_picture_is_well_formed_and_refers_to_nothing() -> None:
    drawn = picture(replace(SMALL, name="<b>&"), FIGURES)
    assert drawn is not None
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "<b>& 0.1.0 → 0.2.0" in "".join(root.itertext())
    assert "href" not in drawn and "url(" not in drawn
