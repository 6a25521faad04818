"""Modules as this machine's compilers make them, stripped as `mix release` does."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["compiled"]


def compiled(folder: Path, **sources: str) -> dict[str, dict[str, bytes]]:
    """Under each source's name its modules, by their names. Text with `-module` is Erlang.

    A later source may define the modules of an earlier one anew, as a later version does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sources.items():
        (folder / f"{name}.txt").write_text(text)
    (folder / "compile.exs").write_text(SCRIPT)
    done = subprocess.run(
        ["elixir", "compile.exs", *sources],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        name: {path.stem: path.read_bytes() for path in (folder / name).glob("*.beam")}
        for name in sources
    }


SCRIPT = r"""
Code.compiler_options(ignore_module_conflict: true)
Mix.start()

erlang = fn text, folder ->
  for source <- String.split(text, ~r/^(?=-module\()/m, trim: true) do
    [_, name] = Regex.run(~r/-module\((\w+)\)/, source)
    path = Path.join(folder, name <> ".erl")
    File.write!(path, source)
    {:ok, module, binary} = :compile.file(String.to_charlist(path), [:binary, :debug_info, :report])
    {module, binary}
  end
end

for name <- System.argv() do
  File.mkdir_p!(name)
  text = File.read!(name <> ".txt")

  modules =
    if text =~ ~r/^-module\(/m, do: erlang.(text, name), else: Code.compile_string(text, name)

  for {module, binary} <- modules do
    {:ok, stripped} = Mix.Release.strip_beam(binary)
    File.write!(Path.join(name, "#{module}.beam"), stripped)
  end
end
"""
