"""The cattle image: immutable, stateless, replaced whole at every deploy.

The release lies under `/app`, owned by root and writable for nobody; a numeric user runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imagesmith.base.base import Base
from imagesmith.beam.bootable import check_bootable
from imagesmith.beam.release import Release
from imagesmith.beam.tool import Tool
from imagesmith.errors import UsageError
from imagesmith.image.adapt import adapted
from imagesmith.image.image import Image, make_image
from imagesmith.layer.files import kept_chunks, pieces_of
from imagesmith.layer.label import LAYERS_LABEL, write_label
from imagesmith.layer.layer import Layer
from imagesmith.layer.split import LayerPlan, plan_layers
from imagesmith.oci.spec import Config
from imagesmith.recipe import Recipe

__all__ = ["ROOT", "Life", "cattle_image", "plan_cattle", "release_image"]

ROOT = "app"
"""The folder of the release in the image."""

ENV = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",  # or the VM takes file names and output for Latin-1
    "RELEASE_TMP": "/tmp",  # noqa: S108 - where runtime.exs is resolved to: the root is read-only
}


MIX_COMMANDS = (
    *("start", "start_iex", "daemon", "daemon_iex", "eval", "rpc"),
    *("remote", "restart", "stop", "pid", "version"),
)
"""What `bin/NAME` of a mix release knows (Elixir: mix/tasks/release.ex, cli.eex)."""


def plan_cattle(release: Release, recipe: Recipe) -> list[LayerPlan]:
    """The layers of the release, base excluded.

    Raises ReleaseError for what cannot be shipped or started, UsageError for a `cmd` that is none.
    """
    check_bootable(release)
    command(release, recipe.cmd)
    keep = kept_chunks(release, recipe.layers.strip) if recipe.layers.canonical else None
    pieces = pieces_of(release, keep=keep, rewrite=adapted(release))
    return plan_layers(pieces, recipe.layers.max, ROOT)


@dataclass(frozen=True, slots=True)
class Life:
    """Which of the two lives an image is for: its name, and what starts its containers."""

    mode: str
    entrypoint: tuple[str, ...] = ()


CATTLE = Life("cattle")


def cattle_image(
    release: Release,
    recipe: Recipe,
    base: Base,
    layers: Sequence[Layer],
    *,
    name: str,
    created: str,
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """The image of a release: its layers on the base's. `created` is an RFC 3339 time.

    `annotations` are the user's, of the manifest.
    """
    return release_image(
        release,
        recipe,
        base,
        layers,
        CATTLE,
        name=name,
        created=created,
        annotations=annotations,
    )


def release_image(
    release: Release,
    recipe: Recipe,
    base: Base,
    layers: Sequence[Layer],
    life: Life,
    *,
    name: str,
    created: str,
    annotations: Mapping[str, str] | None,
) -> Image:
    """What the images of both lives have in common."""
    title = {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": release.version,
    }
    own_labels = {
        LAYERS_LABEL: write_label((*base.layers, *layers)),
        "io.imagesmith.mode": life.mode,
        "io.imagesmith.release": release.name,
    }
    config = Config(
        platform=base.platform,
        created=created,
        env=_env(base.env, recipe.env),
        labels={**base.labels, **title, **recipe.labels, **own_labels},
        entrypoint=life.entrypoint,
        command=command(release, recipe.cmd),
        working_dir=f"/{ROOT}",
        user=recipe.user,
        ports=tuple(str(port) for port in recipe.ports),
        stop_signal="SIGTERM",
    )
    return make_image(
        name,
        release.version,
        config,
        (*base.layers, *layers),
        {**base.annotations, **title, **(annotations or {})},
    )


def command(release: Release, words: Sequence[str] | None) -> tuple[str, ...]:
    """What the container runs, given the recipe's `cmd`. Raises UsageError if there is no such."""
    if words is None:
        if "bin/server" in release.paths:
            words = ("server",)
        else:
            words = ("start",) if release.tool is Tool.MIX else ("foreground",)
    if len(words) > 1 or "/" in words[0]:
        return tuple(words)
    if f"bin/{words[0]}" in release.paths:
        return (f"/{ROOT}/bin/{words[0]}",)
    if release.tool is Tool.MIX and words[0] not in MIX_COMMANDS:
        raise UsageError(
            f"cmd: {words[0]}: the release has no bin/{words[0]}, and its start script no such "
            "command",
            hint=f"bin/{release.name} knows {', '.join(MIX_COMMANDS)}.",
        )
    return (f"/{ROOT}/bin/{release.name}", words[0])


def _env(base: Mapping[str, str], recipe: Mapping[str, str]) -> dict[str, str]:
    """Ours on top of the base's, the recipe's on top of both; the base knows its own PATH best."""
    kept = {name: value for name, value in base.items() if name == "PATH"}
    return {**base, **ENV, **kept, **recipe}
