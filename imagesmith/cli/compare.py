"""`imagesmith compare`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Argument, Option
from imagesmith.cli.insecure import InsecureRegistries
from imagesmith.cli.progress import Progress, ProgressMode
from imagesmith.compare.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagesmith.cli.compare_asked import Asked
    from imagesmith.compare.comparison import Comparison, History
    from imagesmith.oci.registry import Registry
    from imagesmith.recipe import Recipe

__all__ = ["compare"]


def compare(
    recipe: Annotated[
        Path | None,
        Argument("RECIPE", help="A recipe, which says how to see that the application is well."),
    ] = None,
    old: Annotated[
        Path | None,
        Option("--from", metavar="OLD", help="The release that runs: a folder or .tar.gz."),
    ] = None,
    new: Annotated[
        Path | None,
        Option(
            "--to",
            metavar="NEW",
            help="The release that takes its place. Default: the recipe's own release.",
        ),
    ] = None,
    release: Annotated[
        str | None,
        Option("--release", metavar="NAME", help="Which one of the recipe's `releases:` it is."),
    ] = None,
    scenario: Annotated[
        list[Scenario] | None,
        Option("--scenario", help="Measure only this one; can be repeated. Default: all four."),
    ] = None,
    out: Annotated[
        Path,
        Option("--out", metavar="DIR", help="Where report.html, report.md and report.json go."),
    ] = Path("comparison"),
    repeat: Annotated[
        int, Option("--repeat", metavar="N", help="Measure each scenario so often.")
    ] = 1,
    connections: Annotated[
        int | None, Option("--connections", metavar="N", help="Hold so many connections.")
    ] = None,
    rate: Annotated[
        int | None, Option("--rate", metavar="N", help="Send so many requests a second.")
    ] = None,
    replicas: Annotated[
        int | None, Option("--replicas", metavar="N", help="Share the load among so many.")
    ] = None,
    jitter: Annotated[
        float,
        Option(
            "--jitter",
            metavar="SECONDS",
            help="Let clients wait up to so much longer before they connect again, at random.",
        ),
    ] = 0.0,
    settle: Annotated[
        float,
        Option("--settle", metavar="SECONDS", help="Do nothing for so long around each change."),
    ] = 8.0,
    drain: Annotated[
        float,
        Option(
            "--drain",
            metavar="SECONDS",
            help="How long a container that gets nothing new may end what it does, before SIGTERM.",
        ),
    ] = 5.0,
    ready: Annotated[
        float,
        Option("--ready", metavar="SECONDS", help="How long a container may take to be ready."),
    ] = 60.0,
    cpus: Annotated[
        float | None, Option("--cpus", metavar="N", help="Let each container use so many cores.")
    ] = None,
    memory: Annotated[
        str | None,
        Option("--memory", metavar="SIZE", help="Let each container use so much: 512MB."),
    ] = None,
    env: Annotated[
        list[str] | None,
        Option(
            "--env",
            "-e",
            metavar="NAME[=VALUE]",
            help="A variable of every container, as `docker run` has it. No report shows values.",
        ),
    ] = None,
    network: Annotated[
        str | None,
        Option(
            "--network",
            metavar="NAME",
            help="Put the containers into this network of Docker's, where a database is, say.",
        ),
    ] = None,
    balancer: Annotated[
        str | None,
        Option(
            "--balancer",
            metavar="IMAGE",
            help="An image with HAProxy 2.4 or newer. Default: one built from Debian's package.",
        ),
    ] = None,
    history: Annotated[
        str | None,
        Option(
            "--history",
            metavar="DIR|GLOB",
            help="Earlier releases: how many of the steps between them could have gone hot counts.",
        ),
    ] = None,
    deploys: Annotated[
        int, Option("--deploys", metavar="N", help="Count bytes for so many changes a day.")
    ] = 10,
    hosts: Annotated[
        int, Option("--hosts", metavar="N", help="Count bytes for so many hosts.")
    ] = 10,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show what would be done, and do none of it.")
    ] = False,
    as_json: Annotated[
        bool, Option("--json", help="Print report.json instead of the table.")
    ] = False,
    insecure_registry: InsecureRegistries = None,
) -> int:
    """Measure both lives of the same change, under load, and say which fits.

    Both modes of OLD and NEW are built; OLD is run behind a balancer and loaded, changed to NEW,
    killed, and changed back, once for each scenario. Everything started is removed again.

    Examples:
      imagesmith compare --from ../old/_build/prod/rel/shop
      imagesmith compare shop.yml --from old.tar.gz --to new.tar.gz --repeat 3 --out report
      imagesmith compare --from old.tar.gz --scenario rolling --scenario hot --connections 1000
    """
    from imagesmith.cli.compare_asked import Asked, Running
    from imagesmith.cli.compare_build import Sides
    from imagesmith.cli.compare_docker import docker_answers
    from imagesmith.cli.compare_wanted import (
        Given,
        check_numbers,
        check_out,
        wanted_environment,
        wanted_memory,
        wanted_sides,
        wanted_workload,
    )
    from imagesmith.cli.connect import connector
    from imagesmith.cli.find import find_recipe

    check_numbers({"--repeat": repeat, "--deploys": deploys, "--hosts": hosts, "--cpus": cpus})
    check_numbers({"--settle": settle, "--drain": drain, "--ready": ready})
    check_out(out)
    wanted = find_recipe(recipe)
    workload = wanted_workload(wanted, Given(connections, rate, replicas, jitter))
    running = Running(
        settle=settle,
        drain=drain,
        ready=ready,
        cpus=cpus,
        memory=wanted_memory(memory),
        environment=wanted_environment(env or []),
        network=network,
        balancer=balancer,
    )
    places = wanted_sides(wanted, old, new, release)
    asked = Asked(
        recipe=wanted,
        sides=Sides.of(wanted, *places, _image_name(wanted, release)),
        workload=workload,
        running=running,
        scenarios=list(dict.fromkeys(scenario or Scenario)),
        repeat=repeat,
        deploys=deploys,
        hosts=hosts,
    )
    answers = docker_answers()
    connect = connector([], insecure_registry or [])
    with tempfile.TemporaryDirectory(prefix="imagesmith-") as folder:
        scratch = Path(folder)
        past = _history(history, wanted, scratch, connect) if history else None
        if dry_run:
            _show_plan(asked, answers=answers)
            return 0
        found = _compared(asked, past, scratch, connect, answers=answers)
    _show(found, out, as_json=as_json)
    return _troubled(found)


def _compared(
    asked: Asked,
    past: History | None,
    scratch: Path,
    connect: Callable[[], Registry],
    *,
    answers: bool,
) -> Comparison:
    """Build all, and run it where a Docker answers."""
    from imagesmith.cli.compare_build import Builder, Built
    from imagesmith.cli.compare_docker import need_extra
    from imagesmith.cli.pets import say
    from imagesmith.compare.subject import put_together

    def build(tags: str | None) -> Built:
        say("building both modes of both versions")
        telling = Progress(ProgressMode.QUIET)
        builder = Builder(asked.recipe, asked.sides, scratch, telling, connect(), tags)
        return builder.build(deploys=asked.deploys, hosts=asked.hosts)

    if answers:
        need_extra()
        from imagesmith.cli.compare_run import run_all

        return run_all(asked, build, past)
    subject = asked.subject(build(None), past)
    return put_together(subject, [], None, "no Docker answers, so nothing was run")


def _show_plan(asked: Asked, *, answers: bool) -> None:
    from imagesmith.compare.dry import plan_of_action

    plan = asked.sides.plan
    for line in plan_of_action(
        plan.name,
        (plan.before, plan.after),
        asked.workload,
        asked.planned,
        asked.scenarios,
        repeat=asked.repeat,
        settle=asked.running.settle,
        runs_docker=answers,
    ):
        print(line)


def _show(found: Comparison, out: Path, *, as_json: bool) -> None:
    from imagesmith.compare.figures import FIGURES
    from imagesmith.compare.report.document import document
    from imagesmith.compare.report.table import table
    from imagesmith.compare.report.write import write_reports

    written = write_reports(found, out, FIGURES)
    if as_json:
        print(json.dumps(document(found, FIGURES), indent=2))
        return
    for line in table(found, FIGURES):
        print(line)
    for path in written:
        print(path)


def _troubled(found: Comparison) -> int:
    """The exit code: 1 where a run ended before its end, and which scenarios' it was is told."""
    from imagesmith.cli.pets import say

    names = [item.scenario for item in found.outcomes if any(run.trouble for run in item.runs)]
    if not names:
        return 0
    say(f"not gone to the end: {', '.join(names)}; the report has what there is, and why")
    return 1


def _image_name(recipe: Recipe, release: str | None) -> str | None:
    if recipe.releases is None or release is None:
        return recipe.name
    return f"{recipe.name}-{release}" if recipe.name else release


def _history(
    wanted: str, recipe: Recipe, scratch: Path, connect: Callable[[], Registry]
) -> History:
    from imagesmith.cli.pets import say
    from imagesmith.cli.plan_history import read_history
    from imagesmith.cli.sides import Opener
    from imagesmith.compare.comparison import History
    from imagesmith.plan.reason import Verdict

    auto = recipe.pet.versioning == "auto"
    opener = Opener(recipe.layers.own, connect, scratch, scratch / "blobs", auto=auto)
    found = read_history(wanted, opener, recipe.pet.appups, say)
    return History(*map(found.count, (Verdict.HOT, Verdict.RESTART, Verdict.REPLACE)))
