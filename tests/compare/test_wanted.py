"""What the command line and the recipe ask a comparison for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from imagesmith.cli.compare_wanted import (
    Given,
    check_out,
    wanted_environment,
    wanted_memory,
    wanted_sides,
    wanted_workload,
)
from imagesmith.compare.workload import HoldHttp, HoldTcp, HoldWebsocket
from imagesmith.errors import UsageError
from imagesmith.recipe import (
    Compare,
    HttpProbe,
    Recipe,
    ReleasePath,
    RpcProbe,
    default,
)
from imagesmith.recipe import recipe as recipes

NOTHING = Given(None, None, None, 0.0)
PROBED = replace(default(Path("rel")), probe=HttpProbe(http="/health", port=4000))


def test_an_http_probe_is_asked_for_and_held_where_the_recipe_says_nothing_else() -> None:
    found = wanted_workload(PROBED, NOTHING)
    assert (found.path, found.port, found.rate) == ("/health", 4000, 50)
    assert found.hold == HoldHttp(path="/health", port=4000)
    assert (found.connections, found.replicas) == (200, 2)


@pytest.mark.parametrize(
    ("hold", "made"),
    [
        (recipes.HoldTcp(tcp=4001, say="ping"), HoldTcp(port=4001, say="ping")),
        (recipes.HoldHttp(http="/a", port=80), HoldHttp(path="/a", port=80)),
        (
            recipes.HoldWebsocket(websocket="/live", port=80),
            HoldWebsocket(path="/live", port=80),
        ),
    ],
)
def test_the_recipe_says_what_is_held(hold: recipes.Hold, made: object) -> None:
    assert wanted_workload(replace(PROBED, compare=Compare(hold=hold)), NOTHING).hold == made


def test_the_command_line_goes_before_the_recipe() -> None:
    found = wanted_workload(PROBED, Given(1000, 20, 3, 0.5))
    assert (found.connections, found.rate, found.replicas, found.jitter) == (1000, 20, 3, 0.5)


def test_no_rate_and_no_connections_are_no_load() -> None:
    found = wanted_workload(PROBED, Given(0, 0, None, 0.0))
    assert found.path is None
    assert found.hold is None


def test_a_worker_is_asked_for_nothing() -> None:
    found = wanted_workload(replace(PROBED, probe=RpcProbe(rpc="Worker.ok()")), NOTHING)
    assert found.path is None
    assert found.hold is None


def test_without_a_probe_nothing_says_when_a_container_is_ready() -> None:
    with pytest.raises(UsageError) as raised:
        wanted_workload(default(Path("rel")), NOTHING)
    assert "probe:" in (raised.value.hint or "")


@pytest.mark.parametrize("given", [Given(-1, None, None, 0), Given(None, None, 0, 0)])
def test_numbers_that_are_none_are_refused(given: Given) -> None:
    with pytest.raises(UsageError, match="should be"):
        wanted_workload(PROBED, given)


def test_environment_is_given_as_docker_run_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s=1")
    assert wanted_environment(["A=b=c", "SECRET", "EMPTY="]) == {
        "A": "b=c",
        "SECRET": "s=1",
        "EMPTY": "",
    }
    for wrong in ("=1", "NOT_SET_ANYWHERE"):
        with pytest.raises(UsageError, match="--env"):
            wanted_environment([wrong])


def test_memory_is_a_size_that_a_container_can_live_with() -> None:
    assert wanted_memory("512MiB") == 512 << 20
    assert wanted_memory(None) is None
    for wrong in ("1kB", "much"):
        with pytest.raises(UsageError, match="--memory"):
            wanted_memory(wrong)


def test_old_and_new_are_releases(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    own = replace(PROBED, release=ReleasePath(path=new))
    assert wanted_sides(own, old, None, None) == (old, new)
    with pytest.raises(UsageError, match="what runs now"):
        wanted_sides(own, None, None, None)
    with pytest.raises(UsageError, match="no release's folder"):
        wanted_sides(own, tmp_path / "shop.tar", None, None)


def test_one_of_many_releases_is_named(tmp_path: Path) -> None:
    many = Recipe(version=1, releases={"web": ReleasePath(path=tmp_path)}, probe=PROBED.probe)
    assert wanted_sides(many, tmp_path, None, "web") == (tmp_path, tmp_path)
    for name in (None, "worker"):
        with pytest.raises(UsageError) as raised:
            wanted_sides(many, tmp_path, None, name)
        assert "web" in (raised.value.hint or "")


def test_a_release_from_source_has_to_be_built_first(tmp_path: Path) -> None:
    source = recipes.SourceDockerfile(dockerfile=tmp_path / "Dockerfile", path="/app")
    recipe = Recipe(version=1, source=source, probe=PROBED.probe)
    with pytest.raises(UsageError) as raised:
        wanted_sides(recipe, tmp_path, None, None)
    assert "--to" in (raised.value.hint or "")


def test_a_place_that_takes_no_report_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    check_out(tmp_path / "new/folder")
    (tmp_path / "file").touch()
    for wrong in ("file", "file/below"):
        with pytest.raises(UsageError, match="is a file"):
            check_out(tmp_path / wrong)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file"]
