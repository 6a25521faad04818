"""The plan against an earlier release: `plan-against`.

The image is built and pushed whatever comes of it, so a plan that cannot be made is no failure:
the first release has nothing to be planned against.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from imagesmith.cli.action.inputs import Inputs
from imagesmith.cli.action.summary import PlanDocument
from imagesmith.cli.action.told import Told
from imagesmith.cli.action.workflow import annotate
from imagesmith.cli.connect import connector
from imagesmith.errors import RegistryError, UsageError
from imagesmith.oci.reference import ImageName

__all__ = ["earlier", "plan"]

TITLE = "imagesmith"


def earlier(inputs: Inputs) -> str | None:
    """What to plan against, by its digest: the push may well give its tag to the new image.

    None if there is nothing. Raises UsageError for what is no file, folder or image.
    """
    text = inputs.text("plan-against")
    if not text or text.startswith("oci:") or (inputs.context / text).exists():
        return text or None
    if ":" not in text.rpartition("/")[2]:
        raise UsageError(f"plan-against: {text}: there is no such folder, archive or image")
    name = ImageName.parse(text)
    connect = connector([], inputs.words("insecure-registries"))
    try:
        found = connect().repository(name.repository).find(name.wanted)
    except RegistryError as error:
        _note("warning", error.message)
        return None
    if found is None:
        _note("notice", f"{text} is not there yet")
        return None
    return f"{name.repository}@{found[0].digest}"


def plan(
    inputs: Inputs, against: str, told: Told, references: Sequence[str]
) -> PlanDocument | None:
    """What an upgrade from there would do; `references` name what was built."""
    if len(told.images) != 1:
        _note("warning", f"there are {len(told.images)} releases, and one is planned")
        return None
    # A release that was built from source is gone; its image is not, unless only Docker has it.
    release = Path(told.images[0][0]["release"])
    new = str(release) if release.exists() else _readable(inputs.context, references[-1])
    recipe = inputs.text("recipe")
    done = subprocess.run(
        [
            *(sys.executable, "-I", "-m", "imagesmith", "plan", "--json"),
            *inputs.registries(),
            *([f"--recipe={recipe}"] if recipe.endswith((".yml", ".yaml")) else []),
            *("--", against, new),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=inputs.context,
    )
    if done.returncode == 0:
        return cast("PlanDocument", json.loads(done.stdout))
    said = Told()
    for line in done.stderr.splitlines():
        said.hear(line)
    _note("warning", said.error)
    return None


def _readable(context: Path, reference: str) -> str:
    """What `build` has printed, as `plan` reads it: PATH@DIGEST is a layout or an archive."""
    path = reference.partition("@sha256:")[0]
    if (context / path).is_dir():
        return f"oci:{path}"
    return path if (context / path).is_file() else reference


def _note(kind: str, text: str) -> None:
    annotate(kind, f"plan-against: {text}", title=TITLE)
