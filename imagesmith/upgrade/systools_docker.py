"""systools in a container of NEW's image: for a release that this machine cannot execute."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import IO

from imagesmith.docker.client import Docker
from imagesmith.errors import DockerError
from imagesmith.image.image import Image
from imagesmith.oci.archive import DockerImage, write_archive
from imagesmith.oci.layout import CONTAINERD_NAME, REF_NAME
from imagesmith.upgrade.facts import IMAGE
from imagesmith.upgrade.systools import RESULT, SECONDS, Run, Runtime

__all__ = ["in_container"]

WORK = "/tmp/relup"  # noqa: S108 - in a container that is made for this


def in_container(image: Image) -> Run:
    """Runs it in a container without network, which is removed with its image's name afterwards.

    Raises DockerError in Docker's own words, also where there is none.
    """

    def run(folder: Path, runtime: Runtime) -> bytes:
        docker = shutil.which("docker")
        if docker is None or Docker().version() is None:
            raise DockerError("no Docker answers, so systools cannot be run in a container either")
        tag = f"imagesmith-relup:{image.digest.partition(':')[2][:16]}"

        def write(to: IO[bytes]) -> None:
            layers = [layer.descriptor.digest for layer in image.layers]
            named = DockerImage(image.config_descriptor.digest, layers, [tag])
            names = {REF_NAME: tag.partition(":")[2], CONTAINERD_NAME: f"docker.io/library/{tag}"}
            manifest = replace(image.descriptor, annotations=names)
            write_archive(to, list(image.blobs()), [manifest], [named])

        Docker().load(write)
        try:
            return _run([docker, *_words(tag, runtime)], folder)
        finally:
            # Another name may keep the image; this one goes.
            subprocess.run([docker, "rmi", tag], capture_output=True, check=False)

    return run


def _words(tag: str, runtime: Runtime) -> list[str]:
    command = shlex.join(runtime.command(IMAGE, WORK))
    variables = [f"{name}={value}" for name, value in runtime.environment(IMAGE).items()]
    return [
        *("run", "--rm", "--interactive", "--network", "none", "--tmpfs", "/tmp"),  # noqa: S108
        *(word for variable in variables for word in ("--env", variable)),
        *("--entrypoint", "/bin/sh", tag, "-c"),
        f"mkdir {WORK} && cd {WORK} && tar -xf - && {command} >&2 && cat {RESULT}",
    ]


def _run(words: list[str], folder: Path) -> bytes:
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        try:
            with process.stdin as pipe, tarfile.open(fileobj=pipe, mode="w|") as archive:
                archive.add(folder, ".")
        except BrokenPipeError:
            pass  # Docker gave up first: its own words say why
        except BaseException:
            process.kill()
            raise
        process.stdin = None
        try:
            answer, said = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise DockerError(f"systools did not end within {SECONDS} seconds") from None
    if process.returncode != 0:
        lines = said.decode(errors="replace").strip().splitlines()
        words_of_it = [line for line in lines if line.strip() and "--help" not in line]
        raise DockerError(
            f"systools in a container: {words_of_it[-1] if words_of_it else 'it said nothing'}"
        )
    return answer
