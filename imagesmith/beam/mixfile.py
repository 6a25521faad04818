"""What a `mix.exs` plainly says of its releases.

It is code, and never run. Literals are read, also from module attributes and from functions of the
same module without arguments; whatever else decides is a doubt, which the reader is told of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from imagesmith.beam.elixir import Node, elements, expression, read_elixir
from imagesmith.errors import UsageError

__all__ = ["MixProject", "MixRelease", "mix_dependencies", "read_mix_project"]

# Mix.Release.from_config!/3 refuses any other name.
_RELEASE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MOST_STEPS = 20  # from an attribute to a function and on; code can go round in circles


@dataclass(frozen=True, slots=True)
class MixRelease:
    """A release that mix makes; `path` is relative to the project unless it is absolute."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class MixProject:
    """A project's facts. `releases` is None where only running the code would tell; they are
    `listed` where they come from `releases:`, not from mix's default.
    """

    app: str | None
    apps_path: str | None
    build: str
    releases: tuple[MixRelease, ...] | None
    listed: bool
    dependencies: frozenset[str]
    doubts: tuple[str, ...]


def mix_dependencies(data: bytes, name: str) -> frozenset[str]:
    """The applications that a mix.exs names as `{:app, …}`, wherever in it. Raises UsageError."""
    return _dependencies(read_elixir(data, name))


def read_mix_project(data: bytes, name: str) -> MixProject:
    """Read a mix.exs; `name` is what to call it in a message. Raises UsageError."""
    top = read_elixir(data, name)
    module = _project_module(top)
    if module is None:
        raise UsageError(
            f"{name}: there is no `def project do … end` in it that could be read",
            hint="Name a release that is built: imagesmith init _build/prod/rel/NAME",
        )
    return _Project(module, name).read(_dependencies(top))


def _project_module(top: Node) -> _Module | None:
    """The module with a `project/0`; a mix.exs may hold helpers before and after it."""
    todo = [top]
    while todo:
        group = todo.pop()
        if group.kind == "do" or group is top:
            module = _Module(group.children)
            if "project" in module.functions:
                return module
        todo.extend(reversed(group.children))
    return None


def _dependencies(top: Node) -> frozenset[str]:
    found = set()
    todo = [top]
    while todo:
        group = todo.pop()
        todo.extend(group.children)
        match group.children[:2]:
            case [Node(kind="atom", text=name), Node(kind="mark", text=",")] if group.kind == "{":
                found.add(name)
    return frozenset(found)


class _Module:
    """A module's attributes and its functions without arguments, each as the nodes of its body.

    None stands for what has several definitions: which one counts is for Elixir to decide.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.attributes: dict[str, Sequence[Node] | None] = {}
        self.functions: dict[str, Sequence[Node] | None] = {}
        for at, node in enumerate(nodes):
            if at + 1 == len(nodes) or nodes[at + 1].kind != "name":
                continue
            name, after = nodes[at + 1].text, at + 2
            if node.kind == "mark" and node.text == "@":
                end = expression(nodes, at + 1)
                if end > after:
                    self._define(self.attributes, name, nodes[after:end])
            elif node.kind == "name" and node.text in ("def", "defp"):
                if after < len(nodes) and nodes[after].kind == "(" and not nodes[after].children:
                    after += 1
                body = _body(nodes, after)
                if body is not None:
                    self._define(self.functions, name, body)

    def _define(
        self, among: dict[str, Sequence[Node] | None], name: str, body: Sequence[Node]
    ) -> None:
        among[name] = None if name in among else body

    def follow(self, nodes: Sequence[Node]) -> Sequence[Node]:
        """What stands for these nodes, if they are nothing but an attribute or a call."""
        for _ in range(_MOST_STEPS):
            found: Sequence[Node] | None = None
            match nodes:
                case [Node(kind="mark", text="@"), Node(kind="name", text=name)]:
                    found = self.attributes.get(name)
                case [Node(kind="name", text=name)]:
                    found = self.functions.get(name)
                case [Node(kind="name", text=name), Node(kind="(", children=[])]:
                    found = self.functions.get(name)
            if found is None:
                return nodes
            nodes = found
        return ()


def _body(nodes: Sequence[Node], at: int) -> Sequence[Node] | None:
    """A function's body: `do … end`, or `, do: …`; None for anything else, such as a guard."""
    match nodes[at : at + 2]:
        case [Node(kind="do", children=body), *_]:
            return body
        case [Node(kind="mark", text=","), Node(kind="keyword", text="do")]:
            return nodes[at + 2 : expression(nodes, at + 2)]
    return None


@dataclass(frozen=True, slots=True)
class _Keywords:
    """A keyword list; not `complete` where code has a part in it."""

    pairs: dict[str, Sequence[Node]]
    complete: bool


class _Project:
    def __init__(self, module: _Module, name: str) -> None:
        self.module, self.name = module, name
        self.doubts: list[str] = []
        self.unread: list[str] = []  # releases whose options are not all literals

    def read(self, dependencies: frozenset[str]) -> MixProject:
        found = self.keywords([Node("name", "project", 1, False)])
        settings = found.pairs if found else {}
        if not (found and found.complete):
            self.doubt("code makes a part of its project settings, which is not run")
        app = self.literal(settings, "app", "atom")
        apps_path = self.literal(settings, "apps_path", "string")
        build = self.build(settings)
        releases: tuple[MixRelease, ...] | None = None
        if "releases" in settings:
            releases = self.releases(settings["releases"], build)
        elif found and found.complete:
            releases = ()
        listed = bool(releases)
        if releases == () and app and not apps_path:  # mix's default: one, called as the app is
            releases = (self.release(app, f"{build}/rel/{app}"),)
        return MixProject(app, apps_path, build, releases, listed, dependencies, tuple(self.doubts))

    def doubt(self, text: str) -> None:
        if text not in self.doubts:
            self.doubts.append(text)

    def literal(self, settings: dict[str, Sequence[Node]], key: str, kind: str) -> str | None:
        match self.module.follow(settings.get(key, ())):
            case [Node(kind=found, text=text)] if found == kind and text:
                return text
        return None

    def build(self, settings: dict[str, Sequence[Node]]) -> str:
        """Mix.Project.build_path/1, without MIX_TARGET and MIX_BUILD_PATH."""
        root = self.literal(settings, "build_path", "string")
        if root is None and "build_path" in settings:
            self.doubt("its `build_path:` is made by code; _build is taken for it")
        shared = self.module.follow(settings.get("build_per_environment", ()))
        each = [node.text for node in shared] != ["false"]
        return f"{(root or '_build').rstrip('/')}/{'prod' if each else 'shared'}"

    def releases(self, nodes: Sequence[Node], build: str) -> tuple[MixRelease, ...] | None:
        found = self.keywords(nodes)
        if found is None or not (found.pairs or found.complete):
            self.doubt("its `releases:` are made by code, which is not run")
            return None
        if not found.complete:
            self.doubt("code makes a part of its `releases:`; there may be others")
        read = tuple(
            self.release(name, self.path(name, options, f"{build}/rel/{name}"))
            for name, options in found.pairs.items()
        )
        if self.unread:
            whose = ", ".join(self.unread)
            self.doubt(f"code makes options of {whose}; if it sets `path:`, correct the path here")
        return read

    def release(self, name: str, path: str) -> MixRelease:
        if not _RELEASE_NAME.fullmatch(name):
            raise UsageError(
                f"{self.name}: the release {name[:60]!r}: mix takes only names of small letters, "
                "digits and _",
                hint="Correct the name in `releases:`.",
            )
        return MixRelease(name, path)

    def path(self, name: str, nodes: Sequence[Node], default: str) -> str:
        options = self.keywords(nodes)
        told = self.literal(options.pairs, "path", "string") if options else None
        if told is None and (options is None or "path" in options.pairs or not options.complete):
            self.unread.append(name)
        return told or default

    def keywords(self, nodes: Sequence[Node]) -> _Keywords | None:
        """The keyword list that these nodes are, or begin with; None if they are none."""
        nodes = self.module.follow(nodes)
        at = _last_expression(nodes)
        if at == len(nodes) or nodes[at].kind != "[":
            return None
        pairs: dict[str, Sequence[Node]] = {}
        complete = at + 1 == len(nodes)
        for element in elements(nodes[at]):
            match element:
                case [Node(kind="keyword", text=key), *value] if key:
                    pairs.setdefault(key, value)  # of equal keys the first counts
                case [Node(kind="{") as pair]:
                    match elements(pair):
                        case [[Node(kind="atom", text=key)], value]:
                            pairs.setdefault(key, value)
                        case _:
                            complete = False
                case _:
                    complete = False
        return _Keywords(pairs, complete)


def _last_expression(nodes: Sequence[Node]) -> int:
    """Where the last expression of a body begins: its value."""
    at = 0
    while at < len(nodes):
        end = expression(nodes, at)
        while end < len(nodes) and nodes[end].text == ";" and nodes[end].kind == "mark":
            end += 1
        if end == len(nodes):
            return at
        at = end
    return at
