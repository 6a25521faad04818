"""What is read of a rebar.config."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesmith.beam.rebar import RebarProject, read_rebar_project
from imagesmith.errors import UsageError


def read(text: str, relx: str | None = None) -> RebarProject:
    return read_rebar_project(
        text.encode(), "rebar.config", None if relx is None else relx.encode()
    )


# fmt: off
FORMS = {
    "one": (
        '{relx, [{release, {echo, "1"}, [echo, sasl]}, {dev_mode, false}]}.', ["echo"], "default"),
    "with a comment and options": (
        '%% {relx, [{release, {no, "1"}, []}]}.\n{relx, [{release, {echo, git}, [echo], [x]}]}.',
        ["echo"], "default"),
    "several, and versions of one": (
        '{relx, [{release, {a, "1"}, []}, {release, {a, "2"}, []}, {release, {b, "1"}, []}]}.',
        ["a", "b"], "default"),
    "one that extends another": (
        '{relx, [{release, {a, "1"}, []}, {release, {b, "1", {extend, a}}, []}]}.',
        ["a", "b"], "default"),
    "a prod profile": (
        '{relx, [{release, {a, "1"}, []}, {dev_mode, true}]}.'
        "{profiles, [{prod, [{relx, [{dev_mode, false}]}]}]}.", ["a"], "prod"),
    "a release of the profile": (
        '{profiles, [{prod, [{relx, [{release, {a, "1"}, []}]}]}]}.', ["a"], "prod"),
    "a profile without relx": (
        '{relx, [{release, {a, "1"}, []}]}.{profiles, [{prod, [{deps, []}]}]}.', ["a"], "default"),
    "none": ("{erl_opts, [debug_info]}.", [], "default"),
    "of another shape": ("{relx, none}.{relx, [release, {release}, {release, x}]}.", [], "default"),
}
# fmt: on


@pytest.mark.parametrize(("text", "names", "profile"), FORMS.values(), ids=list(FORMS))
def test_releases_are_read(text: str, names: list[str], profile: str) -> None:
    found = read(text.replace("}.{", "}.\n{"))
    assert (list(found.releases), found.profile, found.base, found.linked) == (
        names,
        profile,
        "_build",
        False,
    )


def test_an_older_project_has_a_relx_config() -> None:
    relx = '{release, {echo, "1"}, [echo]}.\n{dev_mode, true}.'
    assert read("{deps, [cowboy]}.", relx).releases == ("echo",)
    assert read("{deps, [cowboy]}.", relx).linked
    assert read('{relx, [{release, {new, "1"}, []}]}.', relx).releases == ("new",)


def test_links_and_places_and_dependencies() -> None:
    assert read('{relx, [{mode, dev}, {release, {a, "1"}, []}]}.').linked
    assert not read('{relx, [{mode, prod}, {release, {a, "1"}, []}]}.').linked
    assert read('{base_dir, "out/"}.').base == "out"
    assert read('{deps, [a, {b, "1"}, {c, {git, "x"}}]}.').dependencies == {"a", "b", "c"}


@pytest.mark.parametrize("name", ["'a/b'", "'..'", "'a b'", "''", "'a\\nb'"])
def test_a_release_that_no_folder_can_be_called(name: str) -> None:
    with pytest.raises(UsageError, match="no folder can be called that"):
        read(f'{{relx, [{{release, {{{name}, "1"}}, []}}]}}.')


@given(st.binary())
def test_any_bytes_are_a_project_or_one_clear_error(data: bytes) -> None:
    try:
        read_rebar_project(data, "rebar.config")
    except UsageError as error:
        assert error.message.startswith("rebar.config")
