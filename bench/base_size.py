"""What the minimal base adds to a release, beside a Debian base under the same layers.

Prints a Markdown table. Sizes are compressed bytes, as a registry stores and a host downloads
them; both bases are compressed by the same gzip. Run by `make bench`.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from imagesmith.layer.gzip import write_gzip

REPO = Path(__file__).resolve().parent.parent


def main() -> None:
    built = subprocess.run(
        [REPO / "fixtures/shop/build"], stdout=subprocess.PIPE, text=True, check=True
    )
    debian = _compressed(Path(_tool("bookworm-rootfs")))
    print("| release | its own layers | minimal base | in all | on Debian 12 (minbase) |")
    print("|---|---|---|---|---|")
    for path in map(Path, built.stdout.split()):
        own, base = _sizes(path)
        print(
            f"| {path.name} | {_mb(own)} | {_mb(base)} | {_mb(own + base)} | {_mb(own + debian)} |"
        )


def _tool(verb: str) -> str:
    done = subprocess.run([REPO / ".ci/tools", verb], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def _sizes(release: Path) -> tuple[int, int]:
    """The release's bytes and the base's, from what a real build tells."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "imagesmith", "build", release, "--progress", "json"),
                *("--output", f"type=oci,dest={folder}/image.tar"),
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    sizes: Counter[bool] = Counter()
    for line in map(json.loads, done.stderr.splitlines()):
        if "layer" in line:
            sizes[line["group"] == "base"] += line["bytes"]
    return sizes[False], sizes[True]


def _compressed(tar: Path) -> int:
    with tar.open("rb") as file:
        return write_gzip(iter(lambda: file.read(1 << 20), b""), io.BytesIO())[2]


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


if __name__ == "__main__":
    main()
