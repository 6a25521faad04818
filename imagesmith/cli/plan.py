"""`imagesmith plan`."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Argument, Option
from imagesmith.cli.insecure import InsecureRegistries
from imagesmith.cli.place import CacheDir, cache_folder
from imagesmith.errors import UsageError

if TYPE_CHECKING:
    from imagesmith.beam.release import Release
    from imagesmith.cli.sides import Opener
    from imagesmith.oci.spec import Descriptor
    from imagesmith.recipe import Recipe

__all__ = ["plan"]

RECIPE = Path("imagesmith.yml")
EXIT_CODES = {"hot": 0, "restart": 3, "replace": 4}
USAGE = "`imagesmith plan OLD NEW`, or `imagesmith plan --history DIR`."


def plan(
    old: Annotated[
        str | None,
        Argument(
            "OLD",
            help="What runs: a release (a folder or .tar.gz), an image (oci:DIR, FILE.tar, "
            "HOST/NAME:TAG), or an upgrade bundle, which stands for the image that it leads to.",
        ),
    ] = None,
    new: Annotated[
        str | None,
        Argument("NEW", help="What is to run; the same choice. A bundle may lie on top of OLD."),
    ] = None,
    history: Annotated[
        str | None,
        Option(
            "--history",
            metavar="DIR|GLOB",
            help="Plan from release to release, of all in a folder or of a pattern, in the order "
            "of their versions, and say how many steps could have gone hot.",
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        Option(
            "--recipe",
            metavar="FILE",
            help="The recipe whose `pet: {appups: …, versioning: …}` and `layers: {own: …}` count. "
            "Default: imagesmith.yml here, if any.",
        ),
    ] = None,
    registry: Annotated[
        str | None,
        Option(
            "--registry",
            metavar="HOST/NAME",
            help="A repository: say how many of NEW's layers it has. Default: the one that OLD or "
            "NEW lies in, if any.",
        ),
    ] = None,
    everything: Annotated[
        bool, Option("--all", help="Show every module and instruction, not the first of many.")
    ] = False,
    as_json: Annotated[
        bool, Option("--json", help="Print JSON: everything, always (docs/plan.schema.json).")
    ] = False,
    detailed_exitcode: Annotated[
        bool,
        Option(
            "--detailed-exitcode",
            help="Exit with 0 for hot or nothing to do, 3 for restart, 4 for replace.",
        ),
    ] = False,
    insecure_registry: InsecureRegistries = None,
    cache_dir: CacheDir = None,
) -> int:
    """Say what an upgrade will do before it does it: hot, restart or replace, and why.

    Nothing is run, and no Docker is needed. Of configuration only the keys are shown: values can be
    secrets.

    Examples:
      imagesmith plan registry.example/shop:0.1.0 _build/prod/rel/shop
      imagesmith plan old.tar.gz new.tar.gz --detailed-exitcode
      imagesmith plan --history 'releases/*.tar.gz'
    """
    from imagesmith.cli.connect import connector
    from imagesmith.cli.plan_report import report
    from imagesmith.cli.sides import Opener
    from imagesmith.plan.code import Running
    from imagesmith.plan.document import document
    from imagesmith.plan.plan import make_plan
    from imagesmith.plan.present import ask_registry
    from imagesmith.plan.ship import shipment

    _check(old, new, history, detailed_exitcode)
    wanted = _recipe(recipe)
    appups = wanted.pet.appups if wanted else None
    connect = connector([], insecure_registry or [])
    with tempfile.TemporaryDirectory(prefix="imagesmith-") as scratch, ExitStack() as opened:
        opener = Opener(
            wanted.layers.own if wanted else (),
            connect,
            Path(scratch),
            (cache_folder(cache_dir) or Path(scratch)) / "blobs",
            auto=wanted is not None and wanted.pet.versioning == "auto",
        )
        if history is not None:
            return _history(history, opener, appups, as_json=as_json)
        assert old is not None and new is not None
        before = opened.enter_context(opener.open(old))
        after = opened.enter_context(opener.open(new, before.release))
        made = make_plan(Running(before.release), Running(after.release), appups)
        present = None
        if repository := registry or _repository(old) or _repository(new):
            layers = after.layers or _built(after.release, new, wanted, Path(scratch))
            present = ask_registry(connect().repository(repository), layers)
        ships = shipment(after.release, made.changes)
    if as_json:
        found = document(made, (old, new), ships, present)
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for line in report(made, ships, present, everything=everything):
            print(line)
    return EXIT_CODES[made.verdict] if detailed_exitcode else 0


def _check(old: str | None, new: str | None, history: str | None, detailed: bool) -> None:
    if history is None:
        if old is None or new is None:
            raise UsageError(f"plan: {'NEW' if old else 'OLD'} is missing", hint=USAGE)
    elif old is not None:
        raise UsageError(f"--history has no place for {old}: it plans many releases", hint=USAGE)
    elif detailed:
        raise UsageError("--detailed-exitcode: a history has many verdicts", hint=USAGE)


def _recipe(given: Path | None) -> Recipe | None:
    from imagesmith.recipe.load import load

    if given is not None:
        return load(given)
    return load(RECIPE) if RECIPE.exists() else None


def _repository(text: str) -> str | None:
    """The repository of an image in a registry."""
    from imagesmith.oci.reference import ImageName

    if text.startswith("oci:") or Path(text).exists():
        return None
    return ImageName.parse(text).repository


def _built(
    release: Release, place: str, recipe: Recipe | None, scratch: Path
) -> tuple[Descriptor, ...]:
    """The layers that `imagesmith build` makes of a release."""
    from imagesmith.image.cattle import plan_cattle
    from imagesmith.layer.build import build_layer
    from imagesmith.layer.store import Scratch
    from imagesmith.recipe import default

    plans = plan_cattle(release, recipe or default(Path(place)))
    return tuple(build_layer(plan, Scratch(scratch)).descriptor for plan in plans)


def _history(wanted: str, opener: Opener, appups: Path | None, *, as_json: bool) -> int:
    from imagesmith.cli.plan_history import read_history
    from imagesmith.cli.plan_report import history_report
    from imagesmith.plan.document import history_document

    found = read_history(
        wanted, opener, appups, lambda text: print(f"imagesmith: {text}", file=sys.stderr)
    )
    if as_json:
        print(json.dumps(history_document(found), indent=2, ensure_ascii=False))
    else:
        for line in history_report(found):
            print(line)
    return 0
