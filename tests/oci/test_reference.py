from __future__ import annotations

import pytest

from imagesmith.errors import UsageError
from imagesmith.oci.reference import ImageName, Reference

# Names and what Docker makes of them, after distribution/reference's own tests.
GOOD = [
    ("shop", "docker.io/library/shop:latest"),
    ("shop:1", "docker.io/library/shop:1"),
    ("team/shop:1", "docker.io/team/shop:1"),
    ("docker.io/shop", "docker.io/library/shop:latest"),
    ("docker.io/team/shop", "docker.io/team/shop:latest"),
    ("index.docker.io/shop:2", "docker.io/library/shop:2"),
    ("localhost/shop", "localhost/shop:latest"),
    ("localhost:5000/shop", "localhost:5000/shop:latest"),
    ("localhost:5000/a/b/shop:v1.0-rc.1", "localhost:5000/a/b/shop:v1.0-rc.1"),
    ("reg.example/shop", "reg.example/shop:latest"),
    ("[::1]:5000/shop:1", "[::1]:5000/shop:1"),
    ("UPPER/shop:1", "UPPER/shop:1"),
    ("a_b/c__d-e.f:1", "docker.io/a_b/c__d-e.f:1"),
    ("a--b:1", "docker.io/library/a--b:1"),
    ("shop:_" + "t" * 127, "docker.io/library/shop:_" + "t" * 127),
    ("xn--n3h.com/shop", "xn--n3h.com/shop:latest"),
]


@pytest.mark.parametrize(("text", "full"), GOOD)
def test_a_reference_is_completed_as_docker_completes_it(text: str, full: str) -> None:
    assert Reference.parse(text).full == full


@pytest.mark.parametrize(("text", "full"), GOOD)
def test_what_is_printed_is_a_reference_to_the_same_image(text: str, full: str) -> None:
    assert Reference.parse(str(Reference.parse(text))).full == full
    assert Reference.parse(full).full == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "Shop",
        "shop:",
        "shop:a b",
        "shop:" + "t" * 129,
        "shop:-1",
        "/shop",
        "shop/",
        "a//b",
        "-shop",
        "shop-",
        "a___b",
        "a..b",
        "reg.example/Shop:1",
        "-reg.example/shop",
        "http://reg.example/shop",
        "shop:1:2",
        "n" * 256,
        "shöp",
        "shop:1\n",
    ],
)
def test_what_is_no_reference_is_refused_with_advice(text: str) -> None:
    with pytest.raises(UsageError, match="this is no image reference") as raised:
        Reference.parse(text)
    assert "in lower case" in str(raised.value.hint)


def test_a_digest_cannot_be_asked_for() -> None:
    with pytest.raises(UsageError, match="a tag cannot have a digest"):
        Reference.parse("shop@sha256:" + "0" * 64)


def test_an_image_id_is_no_name() -> None:
    with pytest.raises(UsageError, match="64 hexadecimal digits are an image ID"):
        Reference.parse("a" * 64)
    assert Reference.parse("a" * 63).name == "a" * 63


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "repository", "asked", "full"),
    [
        ("debian", "docker.io/library/debian", "latest", "docker.io/library/debian:latest"),
        ("h.example/a:1", "h.example/a", "1", "h.example/a:1"),
        (f"a@{DIGEST}", "docker.io/library/a", DIGEST, f"docker.io/library/a@{DIGEST}"),
        (f"h:1/a:2@{DIGEST}", "h:1/a", DIGEST, "h:1/a:2"),
    ],
)
def test_the_name_of_an_image_says_where_and_which(
    text: str, repository: str, asked: str, full: str
) -> None:
    name = ImageName.parse(text)
    assert (name.repository, name.wanted, str(name)) == (repository, asked, full)


def test_a_name_with_half_a_digest_is_refused() -> None:
    with pytest.raises(UsageError, match="is no digest"):
        ImageName.parse("debian@sha256:123")
