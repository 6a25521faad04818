"""Where a comparison was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imagesmith import __version__
from imagesmith.compare.comparison import Machine
from imagesmith.docker.sdk import telling

if TYPE_CHECKING:
    from docker.client import DockerClient

__all__ = ["read_machine"]


def read_machine(
    client: DockerClient, balancer: str, *, cpus: float | None, memory: int | None
) -> Machine:
    """As Docker sees it. Raises DockerError."""
    with telling("Docker does not say where it runs"):
        info = client.info()
    return Machine(
        cpus=int(info.get("NCPU", 0)),
        cpu_model=_cpu_model(),
        memory=int(info.get("MemTotal", 0)),
        kernel=f"{info.get('OperatingSystem', '')}, Linux {info.get('KernelVersion', '')}",
        docker=str(info.get("ServerVersion", "")),
        store=str(info.get("Driver", "")),
        balancer=balancer,
        imagesmith=__version__,
        limit_cpus=cpus,
        limit_memory=memory,
    )


def _cpu_model() -> str:
    """proc(5), cpuinfo; "" where nothing says."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
