"""`imagesmith init`."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.command import Argument, Option
from imagesmith.errors import OutputError, UsageError

if TYPE_CHECKING:
    from imagesmith.recipe.draft import Draft

__all__ = ["init"]

RECIPE = "imagesmith.yml"
START_DATA = "releases/start_erl.data"
LARGEST = 1 << 20  # bytes of a project file
ECTO = frozenset({"ecto", "ecto_sql", "phoenix_ecto"})


def init(
    folder: Annotated[
        Path,
        Argument(
            "DIR",
            help="A project (mix.exs or rebar.config), or a built release. Default: this folder.",
        ),
    ] = Path(),
    output: Annotated[
        str | None,
        Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"Where to write it; - is stdout. Default: {RECIPE} in the project's folder, for "
            "a built release in this one.",
        ),
    ] = None,
    force: Annotated[bool, Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a recipe, with comments, for the project here.

    mix.exs is read and never run: what only running it would tell stands in the recipe as a
    comment. The path of the recipe is printed.

    Examples:
      imagesmith init
      imagesmith init _build/prod/rel/shop -o -
    """
    from imagesmith.recipe.draft import draft

    found = _find(folder)
    home = Path() if found.built else folder
    target = home / RECIPE if output in (None, "-") else Path(str(output))
    if output != "-":
        _check(target, force)
        if found.built and found.root in [
            target.parent.resolve(),
            *target.parent.resolve().parents,
        ]:
            raise UsageError(
                f"{target}: it would lie in the release, and be a part of the image",
                hint="Go to your project's folder, or name another file: --output FILE",
            )
    facts = found.draft(target)
    text = draft(facts)
    if output == "-":
        sys.stdout.buffer.write(text.encode())
    else:
        _write(target, text, force)
        sys.stdout.buffer.write(os.fsencode(target) + b"\n")
    sys.stdout.flush()  # before what stderr has to add
    for line in [*found.told, *(f"not certain: {doubt}" for doubt in facts.doubts)]:
        print(f"imagesmith: {line}", file=sys.stderr)
    next_ = found.to_make()
    if next_ and folder != Path():
        next_ = [f"(cd {shlex.quote(str(folder))} && {' && '.join(next_)})"]
    if output != "-":
        argument = "" if target == Path(RECIPE) else f" {shlex.quote(str(target))}"
        next_.append(f"imagesmith build{argument}")
    if next_:
        print(f"imagesmith: next: {' && '.join(next_)}", file=sys.stderr)


@dataclass
class _Found:
    """What a folder holds; the paths of its releases are relative to `root`, or absolute."""

    root: Path
    origin: str
    releases: list[tuple[str, str]]
    make: list[str]  # the command that builds each of them
    built: bool = False  # the folder is a release itself
    told: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    phoenix: bool = False
    database: bool = False
    server: bool = False
    migrate: bool = False

    def draft(self, target: Path) -> Draft:
        """The facts of a recipe that will lie at `target`."""
        from imagesmith.recipe.draft import Draft, DraftRelease

        here = target.parent.resolve()
        build = "imagesmith build" + ("" if target.name == RECIPE else f" {target.name}")
        return Draft(
            origin=self.origin,
            releases=[DraftRelease(name, self.path(path, here)) for name, path in self.releases],
            commands=[*self.make, build],
            doubts=self.doubts,
            phoenix=self.phoenix,
            database=self.database,
            server=self.server,
            migrate=self.migrate,
        )

    def path(self, path: str, here: Path) -> str:
        """A release's path as the recipe has it: absolute only where the project says so."""
        return path if path.startswith("/") else os.path.relpath(self.root / path, here)

    def to_make(self) -> list[str]:
        """The commands that build what is not built yet."""
        pairs = zip(self.make, self.releases, strict=True) if self.make else ()
        return [command for command, (_, path) in pairs if not self.is_built(path)]

    def is_built(self, path: str) -> bool:
        """Whether there is a release at the path."""
        return _is_file(self.root / path / START_DATA)


def _find(folder: Path) -> _Found:
    if not folder.is_dir():
        problem = "this is no folder" if folder.exists() else "there is no such folder"
        raise UsageError(f"{folder}: {problem}", hint="Name a project's folder, or a release's.")
    root = folder.resolve()
    if (root / START_DATA).exists():
        return _built_release(folder)
    mix, rebar = (os.path.lexists(root / name) for name in ("mix.exs", "rebar.config"))
    if mix and rebar:
        raise UsageError(
            f"{folder}: there are both mix.exs and rebar.config, and either may make the release",
            hint="Build the release and name it: imagesmith init _build/prod/rel/NAME",
        )
    if mix:
        return _mix(root)
    if rebar:
        return _rebar(root)
    raise UsageError(
        f"{folder}: there is nothing to begin with: no mix.exs, no rebar.config, no release",
        hint="Name a project's folder, or a release's: imagesmith init _build/prod/rel/NAME",
    )


def _built_release(folder: Path) -> _Found:
    from imagesmith.beam.release import read_release
    from imagesmith.beam.tree import Folder

    release = read_release(Folder(folder))
    applications = {app.name for app in release.applications}
    return _Found(
        root=folder.resolve(),
        origin=f"the release {release.name} {release.version}",
        releases=[(release.name, ".")],
        make=[],
        built=True,
        told=[f"{folder}: the release {release.name} {release.version}"],
        phoenix="phoenix" in applications,
        database=bool(ECTO & applications),
        server="bin/server" in release.tree.entries,
        migrate="bin/migrate" in release.tree.entries,
    )


def _mix(root: Path) -> _Found:
    from imagesmith.beam.mixfile import read_mix_project

    project = read_mix_project(_read(root / "mix.exs"), "mix.exs")
    dependencies = project.dependencies | _umbrella_dependencies(root, project.apps_path)
    doubts = [f"mix.exs: {doubt}." for doubt in project.doubts]
    named = project.listed
    if project.releases:
        releases = [(release.name, release.path) for release in project.releases]
    elif project.releases is not None and project.apps_path:
        raise UsageError(
            "mix.exs: this umbrella has no `releases:`, without which mix makes no release of it",
            hint="Write for example `releases: [shop: [applications: [web: :permanent]]]` there.",
        )
    else:
        releases, doubt, named = _guess(root, project.build, project.app)
        doubts.append(doubt)
    if "distillery" in dependencies:
        doubts.append("Distillery is a dependency; its rel/config.exs is not read.")
    told = [f"mix.exs{', an umbrella' if project.apps_path else ''}: {_listed(releases)}"]
    found = _Found(
        root,
        "mix.exs",
        releases,
        [],
        told=told,
        doubts=doubts,
        phoenix="phoenix" in dependencies,
        database=bool(ECTO & dependencies),
    )
    command, option = "mix release", " "
    if "distillery" in dependencies:
        command, option = "mix distillery.release", " --name "
    # Without `releases:` there is one, which mix does not know by its name.
    found.make = [f"MIX_ENV=prod {command}{option + name if named else ''}" for name, _ in releases]
    overlays = [root / "rel/overlays", *(root / path for _, path in releases)]
    found.server = any(_is_file(place / "bin/server") for place in overlays)
    found.migrate = any(_is_file(place / "bin/migrate") for place in overlays)
    if found.phoenix:
        found.told.append("Phoenix is a dependency: port 4000")
    if found.database:
        found.told.append("Ecto is a dependency: the recipe tells of bin/migrate")
    return found


def _guess(root: Path, build: str, app: str | None) -> tuple[list[tuple[str, str]], str, bool]:
    """The releases where mix.exs does not tell them: those that are built, or mix's default.

    Also what to say of it, and whether mix knows them by name.
    """
    rel = root / build / "rel"
    try:
        built = sorted(path.parent.parent for path in rel.glob(f"*/{START_DATA}"))
    except OSError:
        built = []
    built = [path for path in built if re.fullmatch(r"\w[\w.@-]*", path.name, re.ASCII)]
    if built:
        doubt = f"The releases are those that are built in {build}/rel; there may be others."
        return [(path.name, f"{build}/rel/{path.name}") for path in built], doubt, True
    if app:
        doubt = f"The release {app} is a guess: mix calls it as the application, by default."
        return [(app, f"{build}/rel/{app}")], doubt, False
    raise UsageError(
        "mix.exs: its releases are made by code, which is not run, and none is built yet",
        hint="Build it first (MIX_ENV=prod mix release NAME), then run `imagesmith init` again.",
    )


def _umbrella_dependencies(root: Path, apps: str | None) -> frozenset[str]:
    """What the umbrella's applications depend on; one that cannot be read has nothing to say."""
    from imagesmith.beam.mixfile import mix_dependencies

    found: frozenset[str] = frozenset()
    try:
        paths = sorted((root / apps).glob("*/mix.exs")) if apps else []
    except OSError:  # a name that no file system takes
        paths = []
    for path in paths:
        try:
            found |= mix_dependencies(_read(path), path.name)
        except UsageError:
            continue
    return found


def _rebar(root: Path) -> _Found:
    from imagesmith.beam.rebar import read_rebar_project

    relx = root / "relx.config"
    project = read_rebar_project(
        _read(root / "rebar.config"), "rebar.config", _read(relx) if relx.exists() else None
    )
    releases = [(name, f"{project.base}/{project.profile}/rel/{name}") for name in project.releases]
    if not releases:
        raise UsageError(
            "rebar.config: there is no release in it",
            hint='Write for example `{relx, [{release, {shop, "0.1.0"}, [shop]}]}.` there.',
        )
    found = _Found(root, "rebar.config", releases, [], told=[f"rebar.config: {_listed(releases)}"])
    profile = "" if project.profile == "default" else f" as {project.profile}"
    found.make = [f"rebar3{profile} release -n {name}" for name, _ in releases]
    if project.linked:
        found.doubts.append(
            "rebar.config: in its dev mode relx makes links in place of copies, and no image can "
            "hold those: set `{mode, prod}`."
        )
    if (root / "rebar.config.script").exists():
        found.doubts.append("rebar.config.script may change all of this; it is code, and not run.")
    return found


def _listed(releases: list[tuple[str, str]]) -> str:
    names = ", ".join(name for name, _ in releases)
    return f"the release {names}" if len(releases) == 1 else f"the releases {names}"


def _is_file(path: Path) -> bool:
    # Unlike Path's, this takes whatever a project file calls a path, however long it is.
    return os.path.isfile(path)  # noqa: PTH113


def _read(path: Path) -> bytes:
    name = path.name
    if not path.is_file():  # to open a fifo is to wait for a writer
        raise UsageError(f"{name}: this is no file")
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(
            f"{name}: cannot be read: {error.strerror or error}", hint="Correct its permissions."
        ) from None
    if len(data) > LARGEST:
        raise UsageError(f"{name}: it has more than {LARGEST >> 20} MiB, and is not read")
    return data


def _check(target: Path, force: bool) -> None:
    if target.is_dir():
        raise UsageError(f"{target}: this is a folder", hint="Name a file.")
    if os.path.lexists(target) and not force:
        raise UsageError(
            f"{target}: it is there already",
            hint="--force overwrites it, --output FILE writes another, and --output - shows it.",
        )


def _write(target: Path, text: str, force: bool) -> None:
    """Write the recipe whole or not at all, and over another one only if told so."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        if force or not _linked(target, temporary):
            temporary.replace(target)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _linked(target: Path, temporary: Path) -> bool:
    """Give the file its name, but not if something has come there meanwhile."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        _check(target, force=False)
        raise
    except OSError:  # a file system without hard links
        return False
    return True
