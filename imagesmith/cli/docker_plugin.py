"""`imagesmith docker-plugin`: the file by which Docker finds imagesmith.

Docker asks each plugin for its metadata whenever it prints its help (docker/cli:
docs/extend/cli_plugins.md), so that answer comes from the shell, in milliseconds; everything else
is given to the Python that imagesmith is installed in.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from imagesmith import __version__
from imagesmith.errors import OutputError

__all__ = ["install", "uninstall"]

SCRIPT = """\
#!/bin/sh
# imagesmith as a plugin of Docker's command. Written by: imagesmith docker-plugin install
if [ "${{1-}}" = docker-cli-plugin-metadata ]; then
  cat <<'METADATA'
{metadata}
METADATA
  exit
fi
python={python}
if [ ! -x "$python" ]; then
  echo "imagesmith: $python is gone; \\`imagesmith docker-plugin install\\` finds the new place" >&2
  exit 1
fi
exec "$python" -m imagesmith.cli.plugin "$@"
"""


def install() -> None:
    """Put the plugin where Docker looks, so that `docker imagesmith` works.

    It is one small file, `cli-plugins/docker-imagesmith` in Docker's configuration folder
    ($DOCKER_CONFIG, or ~/.docker), and leads to this installation of imagesmith. Give the command
    again after imagesmith has moved.

    Examples:
      imagesmith docker-plugin install
      docker imagesmith build --mode cattle
    """
    place = _place()
    new = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.write_text(_script())
            new.chmod(0o755)
            new.replace(place)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{place}: the plugin cannot be written: {error.strerror}",
            hint="DOCKER_CONFIG names another configuration folder of Docker's.",
        ) from None
    print(place)


def uninstall() -> None:
    """Take the plugin away again.

    Examples:
      imagesmith docker-plugin uninstall
    """
    place = _place()
    try:
        place.unlink()
    except FileNotFoundError:
        sys.stderr.write(f"{place}: there is none\n")
    except OSError as error:
        raise OutputError(f"{place}: the plugin cannot be removed: {error.strerror}") from None


def _place() -> Path:
    folder = os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker"
    return Path(folder) / "cli-plugins/docker-imagesmith"


def _script() -> str:
    metadata = {
        "SchemaVersion": "0.1.0",
        "Vendor": "imagesmith",
        "Version": __version__,
        "ShortDescription": "Images and hot upgrades from Elixir and Erlang releases",
    }
    return SCRIPT.format(metadata=json.dumps(metadata), python=shlex.quote(sys.executable))
