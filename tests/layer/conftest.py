"""Made releases as pieces and layers, without Elixir and without a disk where none is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from imagesmith.beam.release import read_release
from imagesmith.beam.tree import Folder
from imagesmith.layer.files import pieces_of
from imagesmith.layer.split import LayerPlan, plan_layers
from tests.trees import APPLICATIONS, App, make_release

Plan = Callable[..., dict[str, LayerPlan]]


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Make a release and plan its layers; gives them by group and name."""

    def planned(
        applications: Sequence[App] = APPLICATIONS,
        *,
        version: str = "0.1.0",
        budget: int = 40,
        folder: str = "rel",
        change: Callable[[Path], None] = lambda _: None,
    ) -> dict[str, LayerPlan]:
        path = make_release(tmp_path / folder, version=version, applications=applications)
        change(path)
        release = read_release(Folder(path), own=["shop"])
        layers = plan_layers(pieces_of(release, keep=()), budget, "app")
        return {f"{layer.group}: {layer.name}": layer for layer in layers}

    return planned
