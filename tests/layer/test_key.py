from __future__ import annotations

from itertools import permutations

import pytest

from imagesmith.layer.key import layer_key, piece_key
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member

FILE = FileMember("lib/a/x", Content.of_bytes(b"text"))
MEMBERS: tuple[Member, ...] = (FILE, LinkMember("lib/a/l", "x"), FolderMember("lib/a/empty"))


def test_the_order_of_members_and_pieces_does_not_matter() -> None:
    assert len({piece_key("otp", "a", order) for order in permutations(MEMBERS)}) == 1
    assert len({layer_key("app", "0:0", "w", order) for order in permutations("abc")}) == 1


@pytest.mark.parametrize(
    ("kind", "application", "members"),
    [
        ("own", "a", MEMBERS),
        ("otp", "b", MEMBERS),
        ("otp", "a", MEMBERS[1:]),
        ("otp", "a", (FileMember("lib/a/y", FILE.content), *MEMBERS[1:])),
        ("otp", "a", (FileMember("lib/a/x", FILE.content, executable=True), *MEMBERS[1:])),
        ("otp", "a", (FileMember("lib/a/x", Content.of_bytes(b"Text")), *MEMBERS[1:])),
        ("otp", "a", (FILE, LinkMember("lib/a/l", "y"), MEMBERS[2])),
        ("otp", "a", (*MEMBERS[:2], FolderMember("lib/a/empty", 0o1777))),
        ("otp", "a", (*MEMBERS[:2], LinkMember("lib/a/empty", ""))),
    ],
)
def test_whatever_the_bytes_of_a_layer_follow_from_is_in_the_key(
    kind: str, application: str, members: tuple[Member, ...]
) -> None:
    assert piece_key(kind, application, members) != piece_key("otp", "a", MEMBERS)


def test_a_layers_key_covers_prefix_owner_writer_and_pieces() -> None:
    keys = {
        layer_key("app", "0:0", "w", ["p"]),
        layer_key("opt", "0:0", "w", ["p"]),
        layer_key("app", "1:0", "w", ["p"]),
        layer_key("app", "0:0", "v", ["p"]),
        layer_key("app", "0:0", "w", ["q"]),
        layer_key("app", "0:0", "w", ["p", "p"]),
        layer_key("app", "0:0", "w", []),
    }
    assert len(keys) == 7


def test_fields_cannot_run_into_each_other() -> None:
    assert piece_key("otp", "ab", ()) != piece_key("otpa", "b", ())
    assert layer_key("a", "b", "c", ["de"]) != layer_key("a", "b", "c", ["d", "e"])
