"""What Docker's global options mean to its plugin."""

from __future__ import annotations

import pytest

from imagesmith.cli.plugin import heed_docker
from imagesmith.errors import UsageError


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        ([], {}),
        (["--context", "far"], {"DOCKER_CONTEXT": "far"}),
        (["--context=far"], {"DOCKER_CONTEXT": "far"}),
        (["-c", "far", "-D"], {"DOCKER_CONTEXT": "far"}),
        (["-H", "ssh://host"], {"DOCKER_HOST": "ssh://host"}),
        (["--config", "/c", "--log-level", "debug"], {"DOCKER_CONFIG": "/c"}),
        (["--tlsverify"], {"DOCKER_TLS_VERIFY": "1"}),
    ],
)
def test_they_become_variables(words: list[str], variables: dict[str, str]) -> None:
    rest = ["build", "--context", "mine", "imagesmith"]
    assert heed_docker([*words, "imagesmith", *rest]) == (variables, rest)


@pytest.mark.parametrize("option", ["--tls", "--tlscacert=/ca.pem"])
def test_what_cannot_be_passed_on_is_said(option: str) -> None:
    with pytest.raises(UsageError, match=option.partition("=")[0]):
        heed_docker([option, "imagesmith", "build"])
