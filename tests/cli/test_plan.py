"""`imagesmith plan`: what it prints of small releases, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.beam.beams import module
from tests.cli.conftest import Smith
from tests.oci.images import CREATED, make_layer
from tests.shop import REPO
from tests.trees import App, elf, make_release

OTP = (
    App("kernel", "8.5.3", ("code",), ()),
    App("stdlib", "4.2", ("lists",), ("kernel",)),
    App("sasl", "4.2", ("systools",)),
)


def shop(folder: Path, version: str, *, code: bytes = b"", erts: str = "13.1.5") -> Path:
    """The release `shop`: its one own application has the release's version."""
    own = App("shop", version, ("Elixir.Shop.Cart", f"v{version.replace('.', '_')}"))
    release = make_release(folder, version=version, erts=erts, applications=(*OTP, own))
    beam = release / own.folder / "ebin/Elixir.Shop.Cart.beam"
    beam.write_bytes(module({b"Code": code.ljust(8, b"\0")}, name="Elixir.Shop.Cart"))
    return release


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return shop(tmp_path / "old", "0.1.0")


@pytest.fixture
def new(tmp_path: Path) -> Path:
    return shop(tmp_path / "new", "0.2.0", code=b"other")


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """As `new`, with a NIF."""
    release = shop(tmp_path / "native", "0.3.0", code=b"other")
    (release / "lib/shop-0.3.0/priv").mkdir()
    (release / "lib/shop-0.3.0/priv/nif.so").write_bytes(elf())
    return release


def planned(smith: Smith, *arguments: str | Path) -> Any:
    done = smith("plan", *arguments, "--json")
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


def test_the_first_line_is_the_verdict_and_what_changes_follows(
    smith: Smith, old: Path, new: Path
) -> None:
    done = smith("plan", old, new)
    assert done.code == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == "shop 0.1.0 → 0.2.0: hot"
    for line in (
        "  ~ shop  0.1.0 → 0.2.0  appup: generated",
        "Modules: 1 added, 1 changed, 1 removed",
        "  ~ shop: Shop.Cart [Code]",
        "  + shop: v0_2_0",
        "   1. shop: {add_module, v0_2_0}",
        "   2. shop: {load_module, 'Elixir.Shop.Cart'}",
        "   3. shop: {delete_module, v0_1_0}",
    ):
        assert line in lines


def test_a_reason_comes_with_its_kind_and_its_way_out(
    smith: Smith, old: Path, native: Path
) -> None:
    lines = smith("plan", old, native).stdout.splitlines()
    assert lines[0] == "shop 0.1.0 → 0.3.0: replace the container"
    at = lines.index("  - shop: native code changes (priv/nif.so) (replace, native-code)")
    assert lines[at + 1] == "    → Replace the container: deploy NEW's own image."


@pytest.mark.parametrize(
    ("appup", "native", "code"), [("", False, 0), ("restart", False, 3), ("", True, 4)]
)
def test_the_exit_code_tells_the_verdict_only_if_asked(
    smith: Smith, tmp_path: Path, here: Path, appup: str, native: bool, code: int
) -> None:
    old = shop(tmp_path / "old", "0.1.0")
    new = shop(tmp_path / "new", "0.2.0")
    (here / "imagesmith.yml").write_text(
        f"version: 1\nrelease: {{path: {new}}}\npet: {{appups: appups}}\n"
    )
    (here / "appups").mkdir()
    if appup:  # it leaves out what changed
        (here / "appups/shop.appup").write_text('{"0.2.0", [{"0.1.0", []}], [{"0.1.0", []}]}.')
    if native:
        (new / "lib/shop-0.2.0/nif.so").write_bytes(elf())
    assert smith("plan", old, new).code == 0
    assert smith("plan", old, new, "--detailed-exitcode").code == code


def test_there_is_nothing_to_do_between_a_release_and_itself(smith: Smith, old: Path) -> None:
    done = smith("plan", old, old, "--detailed-exitcode")
    assert done.code == 0
    assert done.stdout == "shop 0.1.0 → 0.1.0: nothing to do, both run the same\n"
    found = planned(smith, old, old)
    assert (found["nothing_to_do"], found["verdict"], found["reasons"]) == (True, "hot", [])


def test_json_follows_the_documented_schema(
    smith: Smith, old: Path, new: Path, native: Path
) -> None:
    schema = json.loads((REPO / "docs/plan.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    for pair in ((old, old), (old, new), (new, old), (old, native)):
        Draft202012Validator(schema).validate(planned(smith, *pair))


def test_json_says_what_the_text_says(smith: Smith, old: Path, new: Path) -> None:
    found = planned(smith, old, new)
    assert found["before"] == {"version": "0.1.0", "place": str(old)}
    assert found["verdict"] == "hot"
    assert found["applications"] == [{"name": "shop", "before": "0.1.0", "after": "0.2.0"}]
    assert {
        "application": "shop",
        "module": "Elixir.Shop.Cart",
        "change": "changed",
        "chunks": ["Code"],
    } in found["modules"]
    [appup] = found["instructions"]
    assert (appup["application"], appup["place"]) == ("shop", "generated")
    assert appup["up"][0] == "{add_module, v0_2_0}"
    assert appup["down"][-1] == "{delete_module, v0_2_0}"
    assert found["ships"]["bytes"] > 0


def test_values_of_configuration_are_not_shown(smith: Smith, old: Path, new: Path) -> None:
    (new / "releases/0.2.0/sys.config").write_text('[{shop,[{password,"hunter2"}]}].')
    done = smith("plan", old, new)
    assert "  + shop/password" in done.stdout
    assert planned(smith, old, new)["configuration"] == [
        {"application": "shop", "path": ["password"], "change": "added"}
    ]
    assert "hunter2" not in done.stdout + smith("plan", old, new, "--json").stdout


def test_a_long_list_is_cut_unless_all_is_asked_for(smith: Smith, tmp_path: Path) -> None:
    many = [
        make_release(
            tmp_path / version,
            version=version,
            applications=(
                *OTP,
                App("shop", version, tuple(f"m{n}_{version[0]}" for n in range(9))),
            ),
        )
        for version in ("1.0.0", "2.0.0")
    ]
    short = smith("plan", *many).stdout
    assert "  … and 6 more (--all shows them)" in short
    assert "… and" not in smith("plan", *many, "--all").stdout


def test_an_archive_is_planned_like_its_folder(
    smith: Smith, old: Path, new: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "new.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", new, "."], check=True)
    assert smith("plan", old, archive).stdout == smith("plan", old, new).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "plan: OLD is missing"),
        (("x",), "plan: NEW is missing"),
        (("nothing", "x"), "nothing: there is no such release, image or bundle"),
        (("no.tar.gz", "x"), "no.tar.gz: there is no such release, image or bundle"),
        ((".", "x"), ".: this is no release: it has no releases/start_erl.data"),
        (("--history", ".", "x"), "--history has no place for x"),
        (("--history", "."), "--history .: there are no two versions of one release"),
        (("--history", ".", "--detailed-exitcode"), "a history has many verdicts"),
        (("x", "y", "--recipe", "no.yml"), "no.yml"),
    ],
)
def test_what_is_asked_wrongly_is_said_in_one_line(
    smith: Smith, words: tuple[str, ...], said: str
) -> None:
    done = smith("plan", *words)
    assert (done.code, done.stdout) == (2, "")
    message, *hints = done.stderr.splitlines()
    assert said in message
    assert all(hint.startswith("  ") for hint in hints)


def test_what_is_cut_short_or_broken_is_said_in_one_line(
    smith: Smith, old: Path, new: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "new.tar.gz"
    subprocess.run(["tar", "-czf", whole, "-C", new, "."], check=True)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(whole.read_bytes()[:-200])
    no_image = tmp_path / "x.tar"
    no_image.write_bytes(b"x" * 2000)
    beam = new / "lib/shop-0.2.0/ebin/Elixir.Shop.Cart.beam"
    beam.write_bytes(beam.read_bytes()[:-10])
    for place, said in (
        (cut, "cut.tar.gz: it is cut short"),
        (no_image, "x.tar: this is no tar"),
        (new, "Elixir.Shop.Cart.beam cannot be loaded"),
    ):
        done = smith("plan", old, place)
        assert (done.code, done.stdout) == (1, "")
        assert said in done.stderr.splitlines()[0]


def test_an_image_without_a_release_of_ours_is_refused(
    smith: Smith, old: Path, tmp_path: Path
) -> None:
    from imagesmith.image.image import make_image
    from imagesmith.layer.split import Group
    from imagesmith.oci.layout import write_layout
    from imagesmith.oci.spec import Config, Platform

    foreign = replace(make_layer("base"), group=Group.BASE, name="layer 1")
    config = Config(platform=Platform("amd64"), created=CREATED)
    image = make_image("other", "1", config, [foreign], {})
    write_layout(tmp_path / "x.oci", list(image.blobs()), [image.descriptor])
    done = smith("plan", old, tmp_path / "x.oci")
    assert done.code == 2
    assert "imagesmith has not made this image" in done.stderr


def test_a_history_counts_the_steps_in_the_order_of_versions(smith: Smith, here: Path) -> None:
    for version, code in (("0.10.0", b"c"), ("0.9.0", b"b"), ("0.2.0", b"a")):
        shop(here / "all" / version, version, code=code)
    shop(here / "all/next", "1.0.0", code=b"d", erts="14.0")
    (here / "all/notes").mkdir()
    done = smith("plan", "--history", "all")
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[:9] == [
        "0.2.0 → 0.9.0   hot",
        "0.9.0 → 0.10.0  hot",
        "0.10.0 → 1.0.0  replace the container: erts",
        "",
        "Of your last 3 releases 2 could have gone hot.",
        "  hot                      2   67%",
        "  restart                  0    0%",
        "  replace the container    1   33%",
        "",
    ]
    assert "  erts (1 of 3)" in done.stdout
    assert done.stderr == ""


def test_a_history_of_a_pattern_leaves_out_what_is_broken_and_says_so(
    smith: Smith, here: Path
) -> None:
    shop(here / "r/1", "0.1.0")
    shop(here / "r/2", "0.2.0", code=b"b")
    shop(here / "r/3", "0.2.0", code=b"b")
    (here / "r/broken").mkdir()
    done = smith("plan", "--history", "r/*", "--json")
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdicts"] == {"hot": 1, "restart": 0, "replace": 0}
    assert [(step["before"], step["after"]) for step in found["steps"]] == [("0.1.0", "0.2.0")]
    assert "r/3: left out: shop 0.2.0 is r/2 already" in done.stderr
    assert "r/broken: left out: " in done.stderr


def test_releases_of_other_names_are_steps_of_their_own(smith: Smith, here: Path) -> None:
    shop(here / "r/1", "0.1.0")
    shop(here / "r/2", "0.2.0", code=b"b")
    for version in ("1.0.0", "2.0.0"):
        make_release(here / f"r/w{version}", name="worker", version=version, applications=[*OTP])
    lines = smith("plan", "--history", "r").stdout.splitlines()
    assert lines[:2] == ["shop 0.1.0 → 0.2.0    hot", "worker 1.0.0 → 2.0.0  hot"]
