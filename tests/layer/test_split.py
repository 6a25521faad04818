from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagesmith.layer.member import Content, FileMember, Member
from imagesmith.layer.split import Group, Piece, own_pieces, plan_layers


def code(application: str, count: int) -> list[Member]:
    return [
        FileMember(f"lib/{application}/ebin/Elixir.M{number}.beam", Content.of_bytes(b"FOR1"))
        for number in range(count)
    ]


def sized(path: str, size: int) -> FileMember:
    return FileMember(path, Content(f"{size:064x}", size, tuple))


@pytest.mark.parametrize(
    ("modules", "pieces"),
    [
        (1, 1),
        (63, 1),
        (64, 2),
        (65, 4),
        (128, 4),
        (129, 8),
        (256, 8),
        (257, 16),
        (500, 16),
        (5000, 16),
    ],
)
def test_an_own_application_is_cut_into_a_power_of_two_of_buckets(
    modules: int, pieces: int
) -> None:
    members = code("shop", modules)
    held = own_pieces("shop", members)
    assert len(held) == pieces
    assert sorted(m.path for p in held for m in p.members) == sorted(m.path for m in members)


def test_a_changed_module_changes_one_bucket_of_sixteen_and_moves_nothing() -> None:
    before = {piece.name: piece for piece in own_pieces("shop", code("shop", 500))}
    changed: list[Member] = code("shop", 500)
    changed[77] = FileMember(changed[77].path, Content.of_bytes(b"FOR2"))
    after = {piece.name: piece for piece in own_pieces("shop", changed)}
    assert before.keys() == after.keys()
    assert len([name for name in before if before[name].key != after[name].key]) == 1


def test_buckets_are_of_similar_size() -> None:
    sizes = [len(piece.members) for piece in own_pieces("shop", code("shop", 500))]
    assert min(sizes) > 15
    assert max(sizes) < 60


def test_large_assets_are_a_piece_of_their_own() -> None:
    assets = sized("lib/shop/priv/static/app.js", 256 << 10)
    assert [piece.part for piece in own_pieces("shop", [*code("shop", 3), assets])] == [
        "assets",
        "",
    ]
    small = sized("lib/shop/priv/static/app.js", (256 << 10) - 1)
    assert [piece.part for piece in own_pieces("shop", [*code("shop", 3), small])] == [""]


def test_an_application_of_assets_alone_is_one_piece_and_none_is_empty() -> None:
    (piece,) = own_pieces("shop", [sized("lib/shop/priv/map.bin", 1 << 20)])
    assert [member.path for member in piece.members] == ["lib/shop/priv/map.bin"]


def test_a_folder_named_ebin_in_priv_is_no_code() -> None:
    assets: list[Member] = [sized(f"lib/shop/priv/ebin/{n}.beam", 9000) for n in range(70)]
    pieces = own_pieces("shop", [*code("shop", 3), *assets])
    assert {piece.part: len(piece.members) for piece in pieces} == {"assets": 70, "": 3}


def many(budget_of: int = 90) -> list[Piece]:
    """Pieces of a large release: more groups and buckets than any budget has room for."""
    pieces = [Piece.of(Group.NATIVE, "native", [sized("erts/beam", 9)])]
    for group in (Group.OTP, Group.ELIXIR, Group.THIRD_PARTY):
        for number in range(budget_of // 3):
            size = (600 << 10) if number % 2 else 9
            name = f"{group.name.lower()}{number}"
            pieces.append(Piece.of(group, name, [sized(f"lib/{name}/x", size)]))
    for number in range(3):
        pieces += own_pieces(f"own{number}", code(f"own{number}", 300))
    pieces.append(Piece.of(Group.PROTOCOLS, "protocols", [sized("consolidated/x", 1)]))
    return [*pieces, Piece.of(Group.RELEASE, "release", [sized("bin/x", 1)])]


@pytest.mark.parametrize("budget", range(8, 41))
def test_there_are_never_more_layers_than_the_budget_and_nothing_is_lost(budget: int) -> None:
    pieces = many()
    layers = plan_layers(pieces, budget, "app")
    assert len(layers) <= budget
    held = [piece for layer in layers for piece in layer.pieces]
    assert sorted(p.key for p in held) == sorted(p.key for p in pieces)


def test_a_lower_budget_merges_layers_and_never_cuts_a_piece_anew() -> None:
    pieces = many()
    whole = {piece.key for piece in pieces}
    for budget in (8, 20, 40, 120):
        layers = plan_layers(pieces, budget, "app")
        assert {piece.key for layer in layers for piece in layer.pieces} == whole
        assert all(len({piece.group for piece in layer.pieces}) == 1 for layer in layers)


def test_layers_lie_in_the_order_of_their_groups() -> None:
    order = list(Group)
    groups = [order.index(layer.group) for layer in plan_layers(many(), 120, "app")]
    assert groups == sorted(groups)


def test_what_changes_least_is_merged_first() -> None:
    names = [layer.name for layer in plan_layers(many(), 75, "app")]
    assert {"otp", "elixir"} <= set(names)
    assert "third_party1" in names
    assert len([name for name in names if name.startswith("own0/")]) == 16


HASH = """
from tests.layer.test_split import many
from imagesmith.layer.split import plan_layers
for budget in (8, 17, 40):
    for layer in plan_layers(many(), budget, "app"):
        print(layer.group, layer.name, layer.key)
"""


def test_layers_do_not_depend_on_pythons_hash_seed() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", HASH],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(printed) == 1
    assert len(printed.pop().splitlines()) > 30
