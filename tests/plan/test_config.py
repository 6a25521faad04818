"""Which configuration changes, and what an upgrade does to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagesmith.beam.etf import encode
from imagesmith.beam.terms import consult
from imagesmith.errors import ReleaseError
from imagesmith.plan.config import config_keys, config_providers
from imagesmith.plan.reason import Reason, Verdict
from tests.plan.couples import Side, couple

PROVIDER = (
    "{{elixir, [{{config_provider_init, #{{'__struct__' => 'Elixir.Config.Provider', "
    'config_path => {{system, <<"RELEASE_SYS_CONFIG">>, <<".config">>}}, extra_config => [], '
    "providers => [{providers}], validate_compile_env => {validate}}}}}]}}"
)
READER = (
    "{{'Elixir.Config.Reader', {{{{system, <<\"RELEASE_ROOT\">>, "
    '<<"/releases/{version}/runtime.exs">>}}, [{{env, {env}}}]}}}}'
)


def keys(folder: Path, old: Side, new: Side) -> list[tuple[str, str]]:
    return [(str(key), key.how) for key in config_keys(*couple(folder, old, new))]


def providers(*given: str, validate: str = "false") -> str:
    return f"[{PROVIDER.format(providers=', '.join(given), validate=validate)}]"


def reader(version: int, env: str = "prod") -> str:
    return READER.format(version=version, env=env)


def reasons(folder: Path, old: Side, new: Side) -> list[Reason]:
    return list(config_providers(*couple(folder, old, new)))


def test_keys_of_app_files_and_of_sys_config_are_told_by_their_paths(tmp_path: Path) -> None:
    old = Side(
        env="[{a, 1}, {b, 2}, {c, 3}]",
        config="[{own, [{c, 4}, {'Elixir.Own.Repo', [{pool, [{size, 5}]}, {gone, 1}]}]}]",
    )
    new = Side(
        env="[{a, 2}, {c, 5}, {d, 1}]",
        config="[{own, [{c, 4}, {'Elixir.Own.Repo', [{pool, [{size, 6}]}, {come, 1}]}]}]",
    )
    assert keys(tmp_path, old, new) == [
        ("own/Own.Repo/come", "added"),
        ("own/Own.Repo/gone", "removed"),
        ("own/Own.Repo/pool/size", "changed"),
        ("own/a", "changed"),
        ("own/b", "removed"),
        ("own/d", "added"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("[{x, 1}, {y, 2}]", "[{y, 2}, {x, 1}]", "own/k"),  # as lists they differ
        ("#{x => 1, y => 2}", "#{x => 1, y => 3}", "own/k/y"),
        ("[{x, 1}, {x, 2}]", "[{x, 1}, {x, 3}]", "own/k"),
        ('[{<<"token">>, 1}]', '[{<<"token">>, 2}]', "own/k"),
        ('<<"s3cret">>', '<<"other">>', "own/k"),
    ],
)
def test_a_path_ends_where_atoms_no_longer_lead_on(
    old: str, new: str, path: str, tmp_path: Path
) -> None:
    found = keys(tmp_path, *(Side(config=f"[{{own, [{{k, {v}}}]}}]") for v in (old, new)))
    assert found == [(path, "changed")]


def test_a_string_is_its_characters_and_a_map_has_no_order(tmp_path: Path) -> None:
    old = Side(env='[{a, "ab"}, {m, #{x => 1, y => 2}}]')
    new = Side(env="[{m, #{y => 2, x => 1}}, {a, [97, 98]}]")
    assert keys(tmp_path, old, new) == []


def test_an_application_that_is_not_in_the_release_has_no_configuration(tmp_path: Path) -> None:
    assert keys(tmp_path, Side(), Side(config="[{stranger, [{a, 1}]}]")) == []


def test_a_sys_config_src_is_read_around_its_variables(tmp_path: Path) -> None:
    text = "[{own, [{port, ${PORT}}, {name, \"${NAME}\"}, %% ${a 'comment'\n {x, %d}]}].\n"
    old, new = (
        Side(config="[", folder={"sys.config.src": text.replace("%d", x).encode()}) for x in "12"
    )
    assert keys(tmp_path, old, new) == [("own/x", "changed")]


def test_a_broken_sys_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"sys\.config:1:2"):
        keys(tmp_path, Side(), Side(config="{"))


def test_the_release_of_a_path_is_no_change_of_a_provider(tmp_path: Path) -> None:
    old = Side(config=providers(reader(1), validate="[{own, [a], {ok, 1}}]"))
    new = Side(config=providers(reader(2), validate="[{own, [a], {ok, 2}}]"))
    assert reasons(tmp_path / "a", old, new) == []
    assert keys(tmp_path / "b", old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ([reader(1)], [reader(2), "{'Elixir.Vault', []}"], "Vault is added"),
        ([reader(1)], [], "Config.Reader is removed"),
        ([reader(1)], [reader(2, "staging")], "the config provider Config.Reader is given"),
        (["{a, 1}", "{b, 1}"], ["{b, 1}", "{a, 1}"], "in another order"),
    ],
)
def test_a_config_provider_that_changes_is_a_restart(
    old: list[str], new: list[str], said: str, tmp_path: Path
) -> None:
    (reason,) = reasons(tmp_path, Side(config=providers(*old)), Side(config=providers(*new)))
    assert (reason.verdict, reason.kind) == (Verdict.RESTART, "config-provider")
    assert said in reason.says


def test_distillery_has_its_providers_in_the_boot_script(tmp_path: Path) -> None:
    old, new = (
        Side(
            folder={
                "start.boot": encode(
                    *consult(
                        b'{script, {"shop", "1"}, [{apply, '
                        b"{'Elixir.Distillery.Releases.Config.Provider',"
                        b" init, [[{'Elixir.Toml', [%b]}]]}}]}." % given
                    )
                )
            }
        )
        for given in (b"1", b"2")
    )
    (reason,) = reasons(tmp_path, old, new)
    assert "Distillery.Releases.Config.Provider is given something else" in reason.says


def test_a_runtime_exs_that_changes_is_a_remark_with_what_it_newly_reads(tmp_path: Path) -> None:
    old, new = (
        Side(config=providers(reader(number)), folder={"runtime.exs": script})
        for number, script in (
            (1, b'config :own, port: System.get_env("PORT")'),
            (2, b'config :own, port: System.get_env("PORT"), key: System.fetch_env!("API_KEY")'),
        )
    )
    (reason,) = reasons(tmp_path, old, new)
    assert reason.verdict is Verdict.HOT
    assert "it newly reads API_KEY from the environment" in reason.says
