"""A tag that does not say what the sources say is not published."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagesmith import __version__
from tests.shop import REPO


def dist(folder: Path, tag: str, heading: str) -> subprocess.CompletedProcess[str]:
    """`.ci/dist --tag TAG` where the changelog's newest heading is this one; it builds nothing:
    the folder has no more than what it looks at first."""
    (folder / ".ci").mkdir()
    (folder / "imagesmith").mkdir()
    for name in (".ci/dist", ".ci/lib.sh", "imagesmith/__init__.py"):
        shutil.copy(REPO / name, folder / name)
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## {heading}\n\n## 0.0.1 - 2020-01-01\n")
    return subprocess.run(
        [folder / ".ci/dist", "--tag", tag],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "IMAGESMITH_TOOLS": str(folder / "tools")},
    )


@pytest.mark.parametrize(
    ("tag", "heading", "said"),
    [
        ("v9.9.9", f"{__version__} - 2030-01-02", "the tag is v9.9.9, but imagesmith/__init__.py"),
        (__version__, f"{__version__} - 2030-01-02", f"the tag is {__version__}, but"),
        (f"v{__version__}", f"{__version__} - Unreleased", "Unreleased"),
        (f"v{__version__}", "9.9.9 - 2030-01-02", 'newest heading is "9.9.9'),
        (f"v{__version__}", f"{__version__} - 2030-01-02", "the build failed"),
    ],
)
def test_tag_version_and_changelog_have_to_agree(
    tag: str, heading: str, said: str, tmp_path: Path
) -> None:
    done = dist(tmp_path, tag, heading)
    assert done.returncode == 1
    assert said in done.stderr


def test_the_job_that_publishes_is_the_only_one_that_may_say_who_it_is() -> None:
    """And it runs nothing of ours: what it publishes was built, and tried, by the one before."""
    workflow: Any = yaml.safe_load((REPO / ".github/workflows/release.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    jobs = workflow["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert [name for name, job in jobs.items() if "permissions" in job] == ["publish"]
    assert jobs["publish"]["environment"]["name"] == "pypi"
    assert jobs["publish"]["needs"] == "build"
    assert not [step for step in jobs["publish"]["steps"] if "run" in step]
