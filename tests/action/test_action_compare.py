"""action.yml that compares. No Docker answers here, so what is compared is what needs none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.action.conftest import Machine
from tests.action.test_action_pet import project, release
from tests.trees import make_release

pytestmark = [pytest.mark.release, pytest.mark.oracle]

OUTPUT = "type=oci,dest=echo.tar"


def test_the_report_is_in_the_summary_and_its_folder_an_output(
    machine_to_compare: Machine, tmp_path: Path
) -> None:
    folder = project(tmp_path / "workspace")
    with (folder / "imagesmith.yml").open("a") as recipe:
        recipe.write("probe: {tcp: 4000}\n")
    release(folder, "0.1.0")
    shutil.copytree(folder / "_build/default/rel/echo", folder / "old", symlinks=True)
    release(folder, "0.2.0")
    done = machine_to_compare().run(outputs=OUTPUT, compare="true", compare_from="old")
    assert done.code == 0, done.log
    report = Path(done.outputs["report"])
    assert (report / "report.md").read_text() in done.summary
    told = json.loads((report / "report.json").read_text())
    assert (told["old"], told["new"], told["plan"]["verdict"]) == ("0.1.0", "0.2.0", "hot")
    assert (report / "report.html").is_file()


def test_a_comparison_that_cannot_be_made_is_told_and_the_image_is_there(
    machine_to_compare: Machine, tmp_path: Path
) -> None:
    """Without a probe nothing says when a container is ready."""
    folder = project(tmp_path / "workspace")
    release(folder, "0.1.0")
    done = machine_to_compare().run(
        outputs=OUTPUT, compare="true", compare_from="_build/default/rel/echo"
    )
    assert done.code == 1
    [error] = [item for item in done.annotations if item.kind == "error"]
    assert "does not say how to see that a container is ready" in error.message
    assert done.outputs["digest"]
    assert not done.outputs["report"]
    assert (folder / "echo.tar").is_file()


@pytest.mark.parametrize("old", ["", "no-such-release"])
def test_an_old_release_that_is_not_there_is_told_before_anything_is_built(
    old: str, machine_to_compare: Machine, tmp_path: Path
) -> None:
    make_release(tmp_path / "workspace/_build/prod/rel/shop")
    done = machine_to_compare().run(outputs=OUTPUT, compare="true", compare_from=old)
    assert done.code == 2
    [error] = [item for item in done.annotations if item.kind == "error"]
    assert "compare-from" in error.message
    assert not (tmp_path / "workspace/echo.tar").exists()
