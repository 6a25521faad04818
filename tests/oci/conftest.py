"""A note where the OCI schemas are not at hand: then only skopeo, umoci and crane validate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oci.schemas import FOLDER

NEEDS_SCHEMAS = "test_oci_schemas.py"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Without the folder its tests would have nothing to ask."""
    return True if collection_path.name == NEEDS_SCHEMAS and not FOLDER.is_dir() else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not FOLDER.is_dir():
        terminalreporter.write_line(
            f"NOTE: {FOLDER} is missing: nothing was checked against the OCI JSON schemas; "
            "the tests marked `oracle` (skopeo, umoci, crane) check layouts and archives."
        )
