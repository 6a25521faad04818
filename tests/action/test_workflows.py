"""The workflows in docs/ci say what action.yml understands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shop import REPO

WORKFLOWS = sorted((REPO / "docs/ci").glob("github-*.yml"))
ACTION: Mapping[str, Mapping[str, object]] = yaml.safe_load((REPO / "action.yml").read_text())


def uses(workflow: Path) -> list[Mapping[str, Any]]:
    """The steps that use the action."""
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    steps = [step for job in jobs for step in job["steps"]]
    return [step for step in steps if "/imagesmith@" in step.get("uses", "")]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: str(path.stem))
def test_every_input_and_output_that_a_workflow_names_is_there(workflow: Path) -> None:
    steps = uses(workflow)
    assert steps
    for step in steps:
        assert step["with"].keys() <= ACTION["inputs"].keys()
    ids = "|".join({step["id"] for step in steps})
    named = re.findall(rf"steps\.(?:{ids})\.outputs\.([a-z-]+)", workflow.read_text())
    assert named
    assert set(named) <= ACTION["outputs"].keys()


def test_every_input_is_handed_on_by_the_environment_alone() -> None:
    text = (REPO / "action.yml").read_text()
    for name in ACTION["inputs"]:
        variable = f"INPUT_{name.upper().replace('-', '_')}"
        assert f"{variable}: ${{{{ inputs.{name} }}}}\n" in text
    steps: Any = ACTION["runs"]["steps"]
    assert not [step for step in steps if "${{" in step.get("run", "")]


def test_the_documentation_has_every_input_and_output() -> None:
    text = (REPO / "docs/github-actions.md").read_text()
    for name in (*ACTION["inputs"], *ACTION["outputs"]):
        assert f"`{name}`" in text, name
