"""How much memory a push and a pull of one large blob take: whole processes, at docker-registry.

    .venv/bin/python bench/registry_memory.py [MB]

Prints, for each, seconds and the peak of the process's resident memory. Fails above 120 MB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT_MB = 120

PUSH = """
import sys
from functools import partial
from pathlib import Path
from imagesmith.oci.blob import Source
from imagesmith.oci.push import Wanted, push_images
from imagesmith.oci.reference import Reference
from imagesmith.oci.registry import Registry
from imagesmith.oci.spec import Descriptor, MediaType, manifest

reference, path, digest = sys.argv[1:]
layer = Descriptor(MediaType.LAYER_GZIP, digest, Path(path).stat().st_size)
config = Descriptor.of(MediaType.CONFIG, b"{}")
blobs = [
    Source(layer, partial(open, path, "rb")),
    Source(config, partial(open, path + ".json", "rb")),
]
print(push_images(Registry(), [Wanted(
    blobs, manifest(config, [layer], {}), MediaType.MANIFEST, [Reference.parse(reference)])]))
"""

PULL = """
import sys
from pathlib import Path
from imagesmith.oci.blobs import BlobDir
from imagesmith.oci.reference import Reference
from imagesmith.oci.registry import Registry
from imagesmith.oci.spec import contents

reference, folder, _ = sys.argv[1:]
found = Reference.parse(reference)
repository = Registry().repository(found.repository)
_, layers = contents(repository.manifest(found.tag)[1], reference)
for layer in layers:
    BlobDir(Path(folder)).add(layer, repository.chunks(layer))
"""

PEAK = """
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measured(what: str, script: str, *arguments: str) -> float:
    """Run a script; returns its peak in MB, and prints it."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script + PEAK, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    peak = int(done.stdout.split()[-1]) * 1024 / 1_000_000
    print(f"{what:<5} {time.monotonic() - begun:6.1f} s {peak:6.1f} MB at most")
    return peak


def main() -> None:
    import hashlib

    from tests.registry import registry

    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder, registry(Path(folder)) as host:
        path, digest = Path(folder) / "blob", hashlib.sha256()
        with path.open("wb") as file:
            for _ in range(size):
                part = os.urandom(1_000_000)
                digest.update(part)
                file.write(part)
        path.with_name("blob.json").write_bytes(b"{}")
        print(f"one blob of {size} MB")
        reference, name = f"{host}/large:1", f"sha256:{digest.hexdigest()}"
        peaks = [
            measured("push", PUSH, reference, str(path), name),
            measured("pull", PULL, reference, f"{folder}/pulled", name),
        ]
    if max(peaks) > LIMIT_MB:
        sys.exit(f"more than {LIMIT_MB} MB")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
