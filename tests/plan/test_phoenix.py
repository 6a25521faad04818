"""What a Phoenix endpoint and open LiveViews keep.

The modules have what `use Phoenix.Endpoint` and `use Phoenix.LiveView` leave in a module.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagesmith.plan.phoenix import phoenix_endpoints, phoenix_live_views
from imagesmith.plan.reason import Reason, Verdict
from tests.plan.compiled import compiled
from tests.plan.couples import Side, couple

pytestmark = pytest.mark.release

ENDPOINT = """
defmodule Phoenix.Endpoint do
  @callback config_change(term, term) :: term
end
defmodule Own.Endpoint do
  @behaviour Phoenix.Endpoint
  def config_change(changed, removed), do: {changed, removed}
end
"""

APPLICATION = """
defmodule Own.Application do
  def config_change(changed, _new, removed) do
    Own.Endpoint.config_change(changed, removed)
    :ok
  end
end
"""

LIVE = """
defmodule Own.PageLive do
  def __live__, do: %{kind: :view, module: __MODULE__}
  def render(assigns), do: {VERSION, assigns}
end
defmodule Own.SameLive do
  def __live__, do: %{kind: :view, module: __MODULE__}
end
defmodule Own.Html do
  def page(assigns), do: {VERSION, assigns}
end
"""

CONFIG = (
    "[{own, [{'Elixir.Own.Endpoint', [{http, [{port, %d}]}, {url, %d}, "
    '{cache_static_manifest, <<"priv/static/cache_manifest.json">>}]}]}]'
)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, bytes]]:
    return compiled(
        tmp_path_factory.mktemp("phoenix"),
        endpoint=ENDPOINT,
        application=APPLICATION,
        old=LIVE.replace("VERSION", "1"),
        new=LIVE.replace("VERSION", "2"),
    )


def own(modules: Mapping[str, Mapping[str, bytes]], *names: str) -> dict[str, bytes]:
    found = {module: data for name in names for module, data in modules[name].items()}
    return {module: data for module, data in found.items() if module.startswith("Elixir.Own.")}


def told(folder: Path, code: Mapping[str, bytes], old: Side, new: Side) -> list[Reason]:
    sides = (Side(code, side.files, config=side.config) for side in (old, new))
    reasons = list(phoenix_endpoints(*couple(folder, *sides)))
    assert {reason.verdict for reason in reasons} <= {Verdict.HOT}
    assert {reason.subject for reason in reasons} <= {"Own.Endpoint"}
    return reasons


def manifest(text: bytes) -> dict[str, bytes]:
    return {"priv/static/cache_manifest.json": text}


def test_an_endpoint_does_not_notice_a_new_manifest_alone(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    code = own(modules, "endpoint", "application")
    (reason,) = told(tmp_path, code, Side(files=manifest(b"1")), Side(files=manifest(b"2")))
    assert "keeps the manifest of static files of its start" in reason.says
    assert reason.example and "Own.Endpoint.config_change([" in reason.example


def test_the_manifest_is_the_one_that_the_configuration_names(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    code = own(modules, "endpoint", "application")
    place = "[{own, [{'Elixir.Own.Endpoint', [{cache_static_manifest, <<\"priv/m.json\">>}]}]}]"
    old, new = (
        Side(files={"priv/m.json": data, **manifest(b"same")}, config=place)
        for data in (b"1", b"2")
    )
    assert "manifest" in told(tmp_path / "a", code, old, new)[0].says
    old, new = (Side(files=manifest(data), config=place) for data in (b"1", b"2"))
    assert told(tmp_path / "b", code, old, new) == []


def test_an_endpoint_is_told_of_its_configuration_and_keeps_its_ports(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    code = own(modules, "endpoint", "application")
    old = Side(files=manifest(b"1"), config=CONFIG % (4000, 1))
    new = Side(files=manifest(b"2"), config=CONFIG % (4001, 1))
    ports, files = told(tmp_path / "a", code, old, new)
    assert "Own.Endpoint read http when it started" in ports.says
    assert "reads its new manifest" in files.says
    other = Side(config=CONFIG % (4000, 2))
    assert told(tmp_path / "b", code, Side(config=CONFIG % (4000, 1)), other) == []


def test_an_application_without_config_change_is_named(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    sides = (Side(config=CONFIG % (4000, number)) for number in (1, 2))
    (reason,) = told(tmp_path, own(modules, "endpoint"), *sides)
    assert "own has no config_change/3" in reason.says
    assert reason.example and reason.example.startswith("def config_change(changed, _new,")


def test_live_views_that_change_are_named_and_others_are_not(
    modules: Mapping[str, Mapping[str, bytes]], tmp_path: Path
) -> None:
    old, new = Side(modules["old"]), Side(modules["new"])
    (reason,) = phoenix_live_views(*couple(tmp_path, old, new))
    assert (reason.verdict, reason.kind) == (Verdict.HOT, "live-view")
    assert reason.says.startswith("open LiveViews keep what Own.PageLive rendered")
