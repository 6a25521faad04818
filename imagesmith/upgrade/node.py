"""The node in a container: Erlang expressions evaluated in it, and the term that comes of them.

An expression is a file of `erl/`: no module is loaded into the node, and no compiler is needed. It
is called with one variable, `Args`, and its value comes back in the external term format. It
reaches the node through the release's own script, which knows the node's name and cookie: mix's
`bin/NAME rpc`, which is kept for the next one (lines.py); relx's `bin/NAME eval`, which reads no
stdin, and is a small program of C (erl_call), in the shell that is kept.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files

from imagesmith.beam import etf
from imagesmith.beam.term import Atom, Map, Term
from imagesmith.docker.container import Answer, Container
from imagesmith.errors import TermError, UpgradeError
from imagesmith.upgrade.lines import Lines

__all__ = ["Node", "args", "atom", "string"]

FOUND = re.compile(rb"imagesmith<([A-Za-z0-9+/=\s\"]*)>imagesmith")
MAX_ARGUMENT = 120_000
"""Linux takes no longer argument of a program than 128 KiB (execve(2), MAX_ARG_STRLEN)."""
NODE_SECONDS = 60.0
INSTALL_SECONDS = 3600.0

MIX = """
{script, args} = :erlang.binary_to_term(Base.decode64!("%s"))
answer =
  try do
    {:ok, tokens, _} = :erl_scan.string(:unicode.characters_to_list(script))
    {:ok, expressions} = :erl_parse.parse_exprs(tokens)
    {:value, value, _} = :erl_eval.exprs(expressions, [{:Args, args}])
    {:ok, value}
  catch
    kind, reason ->
      {:raised, :unicode.characters_to_binary(:io_lib.format("~tp:~tp", [kind, reason]))}
  end
IO.puts("imagesmith<" <> Base.encode64(:erlang.term_to_binary(answer)) <> ">imagesmith")
"""

# What a release of relx's `eval` prints is its value: output goes to the node's own log.
RELX = """
{Script, Args} = erlang:binary_to_term(base64:decode("%s")),
Answer =
    try
        {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Script)),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {value, Value, _} = erl_eval:exprs(Expressions, [{'Args', Args}]),
        {ok, Value}
    catch
        Kind:Reason ->
            {raised, unicode:characters_to_binary(io_lib:format("~tp:~tp", [Kind, Reason]))}
    end,
Told = binary_to_list(base64:encode(erlang:term_to_binary(Answer))),
"""
RELX_TOLD = """"imagesmith<" ++ Told ++ ">imagesmith"."""
RELX_PRINTED = """io:put_chars(["imagesmith<", Told, ">imagesmith"])."""


@dataclass(frozen=True, slots=True)
class Node:
    """The node that `bin/NAME` of a container reaches; `tool` made its release."""

    lines: Lines
    name: str
    tool: str

    @property
    def container(self) -> Container:
        """The container that it runs in."""
        return self.lines.container

    def ask(
        self, script: str, arguments: Mapping[str, Term], *, seconds: float = NODE_SECONDS
    ) -> Term:
        """The value of `erl/SCRIPT.erl` in the running node. Raises UpgradeError."""
        if self.tool == "mix":
            line = self._wrapped("line", {"idle": round(self.lines.idle * 1000)})
            command = (f"bin/{self.name}", "rpc", line)
            answer = self.lines.ask(command, _question(script, arguments), seconds)
        else:
            answer = self.lines.sh(
                f'RELX_RPC_TIMEOUT={seconds:.0f} bin/{self.name} eval "$1"',
                f"{self._wrapped(script, arguments)}{RELX_TOLD}",
                seconds=seconds,
            )
        return self._value(script, answer)

    def ask_new(
        self, script: str, arguments: Mapping[str, Term], *, version: str, root: str
    ) -> Term:
        """The value of `erl/SCRIPT.erl` in a short-lived VM with the code of `version`.

        Raises UpgradeError with what that VM said if it does not come up.
        """
        text = self._wrapped(script, arguments)
        if self.tool == "mix":
            answer = self.container.run(
                f"bin/{self.name}", "eval", text, env={"RELEASE_VSN": version}
            )
        else:
            answer = self._erl(f"{text}{RELX_PRINTED}", version, root)
        return self._value(script, answer)

    def _erl(self, text: str, version: str, root: str) -> Answer:
        """relx's script has no `eval` in a VM of its own: the VM itself is started."""
        command = (
            'export ROOTDIR="$1" BINDIR="$(echo "$1"/erts-*/bin)" EMU=beam PROGNAME=erl && '
            'exec "$BINDIR/erlexec" -noinput -boot "$1/releases/$2/start_clean" '
            '-boot_var SYSTEM_LIB_DIR "$1/lib" -eval "$3" -s init stop'
        )
        return self.container.run("sh", "-c", command, "sh", root, version, text)

    def _wrapped(self, script: str, arguments: Mapping[str, Term]) -> str:
        wrapper = MIX if self.tool == "mix" else RELX
        text = wrapper % _question(script, arguments).decode()
        if len(text) > MAX_ARGUMENT:
            raise UpgradeError(
                f"{self.container.name}: this upgrade names more modules than one command can carry"
            )
        return text

    def _value(self, script: str, answer: Answer) -> Term:
        found = FOUND.search(answer.out)
        if found is None:
            said = [line.strip() for line in f"{answer.text}\n{answer.said}".splitlines()]
            words = " / ".join([line for line in said if line][:3]) or "nothing"
            raise UpgradeError(
                f"{self.container.name}: the node did not answer ({script}); "
                f"bin/{self.name} said: {words}",
                hint=f"`docker exec {self.container.name} bin/{self.name} "
                f"{'rpc' if self.tool == 'mix' else 'eval'} …` has to work; it needs distribution "
                "(RELEASE_DISTRIBUTION is not `none`) and the node's own cookie.",
            )
        try:
            value = etf.decode(base64.b64decode(re.sub(rb'[\s"]', b"", found[1])))
        except (binascii.Error, TermError) as error:
            raise UpgradeError(f"{self.container.name}: {script}: {error}") from None
        match value:
            case (Atom() as kind, result) if kind == Atom("ok"):
                return result
            case (_, bytes(raised)):
                raise UpgradeError(
                    f"{self.container.name}: {script} failed in the node: "
                    f"{raised.decode(errors='replace')}"
                )
        raise UpgradeError(f"{self.container.name}: {script}: an answer that makes no sense")


def args(arguments: Mapping[str, Term]) -> Map:
    """A map with atoms for keys."""
    return Map(tuple((Atom(key), value) for key, value in arguments.items()))


def atom(name: str) -> Atom:
    """An atom."""
    return Atom(name)


def string(value: Term | None) -> str:
    """Text out of what a script answers: a binary, an Erlang string, an atom or `[]`."""
    match value:
        case bytes():
            return value.decode(errors="replace")
        case str():
            return str(value)
        case list():
            return "".join(_characters(value))
    return ""


def _characters(value: list[Term]) -> Iterator[str]:
    for item in value:
        if isinstance(item, int):
            yield chr(item)


def _question(script: str, arguments: Mapping[str, Term]) -> bytes:
    """{Script, Args} in base64."""
    source = files("imagesmith.upgrade").joinpath("erl", f"{script}.erl").read_bytes()
    return base64.b64encode(_compressed(etf.encode((source, args(arguments)))))


def _compressed(term: bytes) -> bytes:
    """A term as term_to_binary(Term, [compressed]) has it (External Term Format, tag 80)."""
    packed = zlib.compress(term[1:], 9)
    return b"\x83P" + struct.pack(">I", len(term) - 1) + packed
