"""What a bundle says of itself, and that a hostile one writes nothing elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagesmith.errors import BundleError
from imagesmith.plan.change import Change
from imagesmith.upgrade.facts import BundleFile, BundleLink, Facts, parse_facts
from tests.upgrade.bundles import FACTS, bundle

DIFF_ID = f"sha256:{'d' * 64}"


def file(path: str, member: str = "m") -> BundleFile:
    return BundleFile(path, "e" * 64, False, DIFF_ID, member)


def with_files(*files: BundleFile) -> Facts:
    return replace(FACTS, files=files, layers=(DIFF_ID,))


def with_link(path: str, target: str) -> Facts:
    return replace(FACTS, links=(BundleLink(path, target),))


def test_facts_are_read_back_as_they_were_written() -> None:
    facts = bundle().facts
    assert parse_facts(facts.to_bytes(), "bundle") == facts
    assert parse_facts(facts.to_bytes(), "bundle").to_bytes() == facts.to_bytes()


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "../x", "lib/own-2.0.0/../../x", "lib/own-2.0.0//x", "lib/own-2.0.0/./x"),
        *("lib/other-1/x", "lib/own-2.0.0", "lib/gone-1/x", "lib/gone-None/x"),
        *("releases/1/sys.config", "releases/RELEASES", "releases/start_erl.data", "bin/shop"),
        *(".imagesmith/permanent", "releases/2/a\nb", "erts-13.1.5/bin/erl"),
    ],
)
def test_no_file_lies_outside_of_what_new_brings(path: str) -> None:
    with pytest.raises(BundleError, match="it would write"):
        parse_facts(with_files(file(path)).to_bytes(), "bundle")


@pytest.mark.parametrize(
    "target",
    [
        *("/etc/shadow", "/app/../etc/shadow", "/appendix/x", "../../other-1/x", "/app"),
        *("../../../../../etc/passwd", "..", "a\nb"),
    ],
)
def test_no_link_leads_elsewhere(target: str) -> None:
    with pytest.raises(BundleError, match="leads to"):
        parse_facts(with_link("lib/own-2.0.0/priv/x", target).to_bytes(), "bundle")


def test_a_link_may_lead_into_the_image_or_stay_in_its_application() -> None:
    for target in ("/app/lib/own/priv/x", "y", "../ebin/own.app"):
        facts = with_link("lib/own-2.0.0/priv/x", target)
        assert parse_facts(facts.to_bytes(), "bundle") == facts


def test_nothing_lies_in_a_file_or_behind_a_link() -> None:
    facts = replace(
        with_files(file("lib/own-2.0.0/priv/x")),
        links=(BundleLink("lib/own-2.0.0/priv", "/app/lib/own/priv"),),
    )
    with pytest.raises(BundleError, match="is no folder"):
        parse_facts(facts.to_bytes(), "bundle")


def test_no_file_is_named_twice() -> None:
    for files in (
        (file("releases/2/a", "m"), file("releases/2/a", "n")),
        (file("releases/2/a", "m"), file("releases/2/b", "m")),
    ):
        with pytest.raises(BundleError, match="twice"):
            parse_facts(with_files(*files).to_bytes(), "bundle")


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, after="../2"),
        replace(FACTS, after=".."),
        replace(FACTS, name="a b"),
        replace(FACTS, tool="distillery"),
        replace(FACTS, volume="upgrades"),
        replace(FACTS, image="sha256:0"),
        replace(FACTS, before_digest="x"),
        replace(FACTS, files=(file("releases/2/a"),)),  # of no layer
        replace(FACTS, changes=(Change("own", None, "1/../../x"),)),
    ],
)
def test_what_no_release_is_called_is_refused(facts: Facts) -> None:
    with pytest.raises(BundleError):
        parse_facts(facts.to_bytes(), "bundle")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"before": {}, "after": {}, "rootfs": {}}'])
def test_what_is_no_configuration_of_a_bundle_is_refused(text: bytes) -> None:
    with pytest.raises(BundleError, match="bundle"):
        parse_facts(text, "bundle")
