"""An installed Erlang and Elixir to ask: this machine's, or that of another system's root."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["ROOTS", "Toolchain"]

REPO = Path(__file__).resolve().parents[2]
ROOTS = ("host", "trixie")
MISSING = "this test needs {}; or deselect it with -m 'not release'"


@dataclass(frozen=True)
class Toolchain:
    """The Erlang and Elixir of `root`; what they read and write for us lies in `work`."""

    root: Path
    work: Path

    @classmethod
    def find(cls, name: str, work: Path) -> Toolchain:
        """The one that ROOTS names so. Fails where it is missing, as a test must not pass by it."""
        if name == "host":
            for tool in ("erl", "erlc", "escript", "elixir", "elixirc"):
                assert shutil.which(tool), MISSING.format(f"{tool} (.ci/tools elixir)")
            return cls(Path("/"), work)
        assert os.geteuid() == 0, MISSING.format("root, for chroot")
        make = [str(REPO / ".ci/tools"), name]
        made = subprocess.run(make, check=True, stdout=subprocess.PIPE, text=True, timeout=900)
        return cls(Path(made.stdout.strip()), work)

    def run(self, *command: str, cwd: str = ".") -> str:
        """What a command prints that runs in a folder below `work`. It must succeed."""
        script = f"cd {shlex.quote(f'{self.place}/{cwd}')} && exec {shlex.join(command)}"
        whole = ["sh", "-ec", script]
        if self.root != Path("/"):
            # Mounted for this one process only, in a namespace of its own.
            mount = f"mount --bind {shlex.quote(str(self.work))} {shlex.quote(f'{self.root}/mnt')}"
            enter = shlex.join(["chroot", str(self.root), *whole])
            whole = ["unshare", "--mount", "sh", "-ec", f"{mount} && exec {enter}"]
        done = subprocess.run(
            whole,
            capture_output=True,
            text=True,
            timeout=600,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/tmp"},
        )
        assert done.returncode == 0, f"{shlex.join(command)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def place(self) -> str:
        """Where the commands find `work`."""
        return str(self.work) if self.root == Path("/") else "/mnt"

    def ask(self, name: str, code: str, lines: Iterable[str]) -> list[str]:
        """Erlang's answer to each line: `code` defines `answer/1`, from fields to a string.

        Elixir is on the code path, so its modules may be called too.
        """
        asked = list(lines)
        libraries = " ".join(f"-pa {ebin}" for ebin in self.elixir_paths)
        text = f"#!/usr/bin/env escript\n%%! {libraries}\n{ASK}{code}"
        (self.work / name).write_text(text)
        (self.work / f"{name}.lines").write_text("".join(f"{line}\n" for line in asked))
        answers = self.run("escript", name, f"{name}.lines").splitlines()
        assert len(answers) == len(asked), answers[:10]
        return answers

    @cached_property
    def _facts(self) -> list[str]:
        code = (
            "for fact <- [:code.root_dir(), :code.lib_dir(:elixir), System.version(),"
            " :erlang.system_info(:otp_release)], do: IO.puts(fact)"
        )
        return self.run("elixir", "-e", code).splitlines()

    @property
    def elixir(self) -> tuple[int, ...]:
        """Elixir's version, the first two numbers."""
        return tuple(int(number) for number in self._facts[2].split(".")[:2])

    @property
    def otp(self) -> int:
        """OTP's release."""
        return int(self._facts[3])

    @property
    def elixir_paths(self) -> list[str]:
        """The ebin folders of Elixir's applications, as the commands see them."""
        lib = os.path.normpath(f"{self._facts[1]}/..")
        return [f"{lib}/{app}/ebin" for app in ("elixir", "mix", "logger", "eex")]

    @property
    def erlang_lib(self) -> str:
        """The folder of OTP's applications, as the commands see it."""
        return f"{self._facts[0]}/lib"

    @cached_property
    def modules(self) -> list[str]:
        """Every module file of OTP (with ERTS) and Elixir, as the commands see them."""
        tops = [self._facts[0], os.path.normpath(f"{self._facts[1]}/..")]
        found = {
            f"/{path.relative_to(self.root)}"
            for top in tops
            for path in self.outside(top).rglob("*.beam")
        }
        return sorted(found)

    def of(self, application: str) -> list[str]:
        """The module files of one application."""
        return [path for path in self.modules if path.split("/")[-3].split("-")[0] == application]

    def outside(self, path: str) -> Path:
        """A path that the commands see, as we see it."""
        if self.root != Path("/") and path.startswith("/mnt/"):
            return self.work / path.removeprefix("/mnt/")
        return self.root / path.lstrip("/")


ASK = r"""
-mode(compile).
main([List]) ->
    {ok, Listed} = file:read_file(List),
    Split = fun(Text, By) -> binary:split(Text, By, [global, trim]) end,
    [io:format("~ts~n", [answer([binary_to_list(Field) || Field <- Split(Line, <<"\t">>)])])
     || Line <- Split(Listed, <<"\n">>)].
"""
