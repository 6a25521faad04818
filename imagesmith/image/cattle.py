"""The cattle image: immutable, stateless, replaced whole at every deploy.

The release lies under `/app`, owned by root and writable for nobody; a numeric user runs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagesmith.base.base import Base
from imagesmith.beam.release import Release
from imagesmith.beam.tree import File
from imagesmith.errors import ReleaseError
from imagesmith.image.image import Image, make_image
from imagesmith.image.start import with_prelude
from imagesmith.layer.files import kept_chunks, pieces_of
from imagesmith.layer.layer import Layer
from imagesmith.layer.split import LayerPlan, plan_layers
from imagesmith.oci.spec import Config, to_bytes
from imagesmith.recipe import Recipe

__all__ = ["LAYERS_LABEL", "ROOT", "cattle_image", "plan_cattle"]

ROOT = "app"
"""The folder of the release in the image."""

LAYERS_LABEL = "io.imagesmith.layers"
"""A JSON object, diff ID → layer key: with it any image tells which layers it can lend."""

ENV = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",  # or the VM takes file names and output for Latin-1
    "RELEASE_TMP": "/tmp",  # noqa: S108 - where runtime.exs is resolved to: the root is read-only
}


def plan_cattle(release: Release, recipe: Recipe) -> list[LayerPlan]:
    """The layers of the release, base excluded.

    Raises ReleaseError for what cannot be shipped.
    """
    env_sh = f"{release.folder}/env.sh"
    if not isinstance(release.tree.entries.get(env_sh), File):
        raise ReleaseError(
            f"{release.tree.name}: there is no {env_sh}, so this is no release of `mix release`",
            hint="Releases of Distillery and relx cannot be built yet.",
        )
    keep = kept_chunks(release, recipe.layers.strip) if recipe.layers.canonical else None
    pieces = pieces_of(
        release,
        keep=keep,
        rewrite=lambda path, data: with_prelude(data) if path == env_sh else data,
    )
    return plan_layers(pieces, recipe.layers.max, ROOT)


def cattle_image(
    release: Release,
    recipe: Recipe,
    base: Base,
    layers: Sequence[Layer],
    *,
    name: str,
    created: str,
) -> Image:
    """The image of a release: its layers on the base's. `created` is an RFC 3339 time."""
    title = {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.version": release.version,
    }
    keys = {layer.diff_id: layer.key for layer in (*base.layers, *layers) if layer.key}
    own_labels = {
        LAYERS_LABEL: to_bytes(keys).decode(),
        "io.imagesmith.mode": "cattle",
        "io.imagesmith.release": release.name,
    }
    config = Config(
        platform=base.platform,
        created=created,
        env=_env(base.env, recipe.env),
        labels={**base.labels, **title, **recipe.labels, **own_labels},
        command=command(release, recipe.cmd),
        working_dir=f"/{ROOT}",
        user=recipe.user,
        ports=tuple(str(port) for port in recipe.ports),
        stop_signal="SIGTERM",
    )
    return make_image(
        name, release.version, config, (*base.layers, *layers), {**base.annotations, **title}
    )


def command(release: Release, words: Sequence[str] | None) -> tuple[str, ...]:
    """What the container runs, given the recipe's `cmd`."""
    if words is None:
        words = ("server",) if "bin/server" in release.paths else ("start",)
    if len(words) > 1 or "/" in words[0]:
        return tuple(words)
    if f"bin/{words[0]}" in release.paths:
        return (f"/{ROOT}/bin/{words[0]}",)
    return (f"/{ROOT}/bin/{release.name}", words[0])


def _env(base: Mapping[str, str], recipe: Mapping[str, str]) -> dict[str, str]:
    """Ours on top of the base's, the recipe's on top of both; the base knows its own PATH best."""
    kept = {name: value for name, value in base.items() if name == "PATH"}
    return {**base, **ENV, **kept, **recipe}
