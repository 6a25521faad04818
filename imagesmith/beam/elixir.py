"""Elixir source as a tree of brackets and blocks, so far as a reader of literals needs it.

It is never run, and no expression is computed. But a `#` in a string, a `]` in a sigil or a
commented dependency must not mislead whoever looks for a list, so every form that can hide a
bracket is known here: strings, heredocs, sigils, characters, interpolation (Elixir's syntax
reference; elixir_tokenizer.erl).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from string import ascii_letters, digits

from imagesmith.errors import UsageError

__all__ = ["Node", "elements", "expression", "read_elixir"]

_TOKEN = re.compile(
    r"""(?P<space>(?:[^\S\n]|\\\r?\n)+)
    |(?P<newline>\n)
    |(?P<comment>\#[^\n]*)
    |(?P<sigil>~(?:[a-z]|[A-Z][A-Z0-9]*)(?:\"""|'''|[/|"'(\[{<]))
    |(?P<quote>\"""|'''|:?["'])
    |(?P<char>\?(?:\\.|\S))
    |(?P<keyword>[^\W\d]\w*[?!]?:(?=\s))
    |(?P<atom>:[^\W\d][\w@]*(?:[?!](?!=))?)
    |(?P<number>\d\w*(?:\.\d\w*)?)
    |(?P<name>[^\W\d]\w*(?:[?!](?!=))?)
    |(?P<mark><<<|>>>|<<~|~>>|<<|>>|::|.)""",
    re.VERBOSE,
)
_CLOSERS = {"(": ")", "[": "]", "{": "}", "<<": ">>", "do": "end", "fn": "end", "#{": "}"}
_ENDS = frozenset(_CLOSERS.values())
_PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}
_COLON = re.compile(r":(?=\s)")
_WORDS_BETWEEN = frozenset({"and", "or", "when", "in"})
_STARTS = frozenset("@%")  # marks with which an expression begins; all others go on with one


@dataclass(slots=True)
class Node:
    """A token, or a bracket or block with what it holds.

    `kind` is atom, char, keyword (`name:`), mark, name, number, string, opaque (a text or a sigil
    that is not plain), or the opening bracket of a group: ( [ { << do fn. `fresh` is the first on
    its line.
    """

    kind: str
    text: str
    line: int
    fresh: bool
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class _Text:
    """A string, heredoc, sigil or quoted atom that is being read."""

    node: Node
    closer: str
    interpolates: bool
    parts: list[str] = field(default_factory=list)
    plain: bool = True


def read_elixir(data: bytes, name: str) -> Node:
    """The whole of a source file as one group. Raises UsageError, with the line, for no Elixir."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UsageError(f"{name}: this is no text: Elixir's source is UTF-8")
    return _Reader(text, name).read()


class _Reader:
    """Goes through the text once; nesting lies on a stack of its own, not on Python's."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self.at, self.line, self.fresh = 0, 1, True
        top = Node("", "", 1, True)
        self.groups = [top]
        self.texts: list[_Text] = []  # those in whose interpolation we are

    def read(self) -> Node:
        while self.at < len(self.text):
            self.token()
        if len(self.groups) > 1:
            group = self.groups[-1]
            raise self.error(group.line, f"`{group.kind}` is never closed")
        return self.groups[0]

    def error(self, line: int, problem: str) -> UsageError:
        return UsageError(
            f"{self.name}:{line}: {problem}",
            hint="Correct the file (`mix compile` says more), or name a release that is built: "
            "imagesmith init _build/prod/rel/NAME",
        )

    def token(self) -> None:
        found = _TOKEN.match(self.text, self.at)
        assert found is not None, "the last alternative takes anything"
        kind, text = str(found.lastgroup), found[0]
        self.at = found.end()
        match kind:
            case "newline":
                self.line, self.fresh = self.line + 1, True
            case "space" | "comment":
                self.line += text.count("\n")
            case "sigil":
                opener = text.lstrip("~" + ascii_letters + digits)
                self.open_text("opaque", opener, interpolates=text[1].islower())
            case "quote":
                kind = "atom" if text[0] == ":" else "opaque" if text[0] == "'" else "string"
                self.open_text(kind, text.lstrip(":"), interpolates=True)
            case "name" if self.after_dot():
                self.add(kind, text)
            case "name" | "mark" if text in _CLOSERS:
                self.groups.append(self.add(text, text))
            case "name" | "mark" if text in _ENDS:
                self.close(text)
            case _:
                self.add(kind, text.strip(":") if kind in ("atom", "keyword") else text)

    def after_dot(self) -> bool:
        """`Calendar.end` is a call, whatever it is called."""
        children = self.groups[-1].children
        return bool(children) and children[-1].text == "." and not self.fresh

    def add(self, kind: str, text: str) -> Node:
        node = Node(kind, text, self.line, self.fresh)
        self.fresh = False
        self.groups[-1].children.append(node)
        return node

    def close(self, closer: str) -> None:
        group = self.groups[-1]
        if _CLOSERS.get(group.kind) != closer:
            of = f", which is to close `{group.kind}` of line {group.line}" if group.kind else ""
            raise self.error(self.line, f"there is a `{closer}` too many{of}")
        self.groups.pop()
        self.fresh = False
        if group.kind == "#{":
            self.go_on(self.texts.pop())

    def open_text(self, kind: str, opener: str, *, interpolates: bool) -> None:
        closer = _PAIRS.get(opener, opener)
        self.go_on(_Text(self.add(kind, ""), closer, interpolates))

    def go_on(self, text: _Text) -> None:
        """Read a text on to its end, or to the next interpolation in it."""
        closer = re.escape(text.closer)
        if len(text.closer) == 3:  # a heredoc ends on a line of its own
            closer = rf"(?<=\n)[^\S\n]*{closer}"
        hole = r"\#\{" if text.interpolates else "(?!)"
        stop = re.compile(rf"(?P<escape>\\.)|(?P<hole>{hole})|(?P<end>{closer})", re.DOTALL)
        while found := stop.search(self.text, self.at):
            text.parts.append(self.text[self.at : found.start()])
            self.line += self.text.count("\n", self.at, found.end())
            self.at = found.end()
            if found["escape"] is not None:
                text.parts.append(found[0][1])
                # Any other escape stands for another character; no name or path needs one.
                text.plain &= found[0][1] in '\\"'
            elif found["end"] is not None:
                self.finish(text)
                return
            else:
                text.plain = False
                self.texts.append(text)
                # A group that belongs to no list of nodes: nobody reads the code in it.
                self.groups.append(Node("#{", "#{", self.line, False))
                return
        raise self.error(text.node.line, f"the text that begins here has no end: {text.closer}")

    def finish(self, text: _Text) -> None:
        node = text.node
        node.text = "".join(text.parts)
        if node.kind == "opaque":
            while self.text[self.at : self.at + 1].isalnum():  # a sigil's modifiers
                self.at += 1
        elif _COLON.match(self.text, self.at):  # `"a name": value`
            self.at += 1
            node.kind = "keyword"
        if not text.plain:
            node.kind = "keyword" if node.kind == "keyword" else "opaque"
            node.text = ""


def elements(group: Node) -> list[list[Node]]:
    """What stands between the commas of a bracket."""
    found: list[list[Node]] = [[]]
    for node in group.children:
        if node.kind == "mark" and node.text == ",":
            found.append([])
        else:
            found[-1].append(node)
    return [element for element in found if element]


def expression(nodes: Sequence[Node], start: int) -> int:
    """Where the expression that begins at `start` ends: a line that goes on with no other one."""
    at = start + 1
    while at < len(nodes):
        node, before = nodes[at], nodes[at - 1]
        goes_on = (node.kind == "mark" and node.text not in _STARTS) or (
            node.kind == "name" and node.text in _WORDS_BETWEEN
        )
        if node.kind == "mark" and node.text == ";":
            return at
        if node.fresh and not goes_on and before.kind not in ("mark", "keyword"):
            return at
        at += 1
    return at
