"""Tiny ELF files by the machine's own compiler and linker, with nothing of a C library in them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from imagesmith.base.elf import Elf, read_elf

OTHER_MACHINE = 243  # EM_RISCV


def library(
    path: Path,
    *,
    needs: Sequence[Path] = (),
    symbol: str = "shared",
    calls: str = "",
    version: str = "",
    rpath: str = "",
    runpath: str = "",
) -> Path:
    """A shared library that defines `symbol`, under a version where one is given."""
    body = f"{calls}();" if calls else ""
    source = f"void {calls or symbol}(void); void {symbol}(void) {{ {body} }}"
    options = ["-shared", f"-Wl,-soname,{path.name}"]
    if version:
        script = path.with_name(f"{path.name}.map")
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f"{version} {{ global: {symbol}; local: *; }};")
        options.append(f"-Wl,--version-script={script}")
    return _link(path, source, [*options, *_paths(rpath, runpath)], needs)


def program(
    path: Path,
    *,
    needs: Sequence[Path] = (),
    calls: str = "",
    interpreter: str = "/lib/ld-made.so.1",
    rpath: str = "",
    runpath: str = "",
) -> Path:
    """A program that would die at once."""
    body = f"{calls}();" if calls else ""
    source = (f"void {calls}(void);" if calls else "") + f"void _start(void) {{ {body} }}"
    options = ["-pie", f"-Wl,--dynamic-linker={interpreter}", *_paths(rpath, runpath)]
    return _link(path, source, options, needs)


def for_other_machine(path: Path) -> Path:
    """Patch the file's `e_machine`."""
    data = bytearray(path.read_bytes())
    data[18:20] = OTHER_MACHINE.to_bytes(2, "little")
    path.write_bytes(data)
    return path


def read(path: Path) -> Elf:
    with path.open("rb") as file:
        return read_elf(file, str(path))


def _paths(rpath: str, runpath: str) -> list[str]:
    if rpath:
        return [f"-Wl,-rpath,{rpath}", "-Wl,--disable-new-dtags"]
    return [f"-Wl,-rpath,{runpath}", "-Wl,--enable-new-dtags"] if runpath else []


def _link(path: Path, source: str, options: Sequence[str], needs: Sequence[Path]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "gcc",
            "-nostdlib",
            "-fPIC",
            "-xc",
            "-",
            "-o",
            str(path),
            *options,
            "-Wl,--no-as-needed",
            "-Wl,--allow-shlib-undefined",
            "-xnone",
            *map(str, needs),
        ],
        input=source.encode(),
        check=True,
        capture_output=True,
    )
    return path
