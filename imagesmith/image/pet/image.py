"""The pet image: release + recipe + base → an image that takes hot upgrades.

Every layer but the top one is the cattle image's. The top one holds the entrypoint, which makes
the upgrade volume ready; what is in `bin/` under `image-bin/`, and in place of its scripts wrappers
that run what the volume has; `RELEASES`; and the folder for the volume.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files

from imagesmith.base.base import Base
from imagesmith.beam.release import Release
from imagesmith.beam.tool import Tool
from imagesmith.errors import ReleaseError, UsageError
from imagesmith.image.cattle import ROOT, Life, release_image
from imagesmith.image.image import Image
from imagesmith.image.pet.releases import releases_file
from imagesmith.layer.layer import Layer
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member
from imagesmith.layer.split import Group, LayerPlan, Piece
from imagesmith.recipe import Recipe

__all__ = ["is_script", "keys_digest", "pet_image", "plan_pet", "release_digest"]

START = f"/{ROOT}/pet/start"
TAKEN = {
    f"/{ROOT}": "the release lies there",
    "/tmp": "what is there is gone at the next start",  # noqa: S108
}
"""Where no volume can be mounted, and why."""


def plan_pet(release: Release, recipe: Recipe, cattle: Sequence[LayerPlan]) -> LayerPlan:
    """The pet layer on top of the cattle image's. Raises ReleaseError, UsageError."""
    _check(release, recipe)
    tools = [m for plan in cattle for m in plan.members if m.path.startswith("bin/")]
    members: list[Member] = [
        _file(f"{ROOT}/pet/start", _script("start.sh"), executable=True),
        _file(f"{ROOT}/pet/volume", _script("volume.sh")),
        _file(f"{ROOT}/pet/release", _facts(release, recipe, cattle)),
        _file(f"{ROOT}/releases/RELEASES", releases_file(release)),
        FolderMember(_volume(recipe), owner=_owner(recipe.user)),
        *(replace(tool, path=f"{ROOT}/image-{tool.path}") for tool in tools),
        *(
            _file(f"{ROOT}/{tool.path}", _script("wrapper.sh"), executable=True)
            for tool in tools
            if is_script(tool) and isinstance(tool, FileMember)
        ),
    ]
    return LayerPlan(Group.PET, "pet", "", (Piece.of(Group.PET, release.name, members),))


def pet_image(
    release: Release,
    recipe: Recipe,
    base: Base,
    layers: Sequence[Layer],
    *,
    name: str,
    created: str,
    annotations: Mapping[str, str] | None = None,
) -> Image:
    """The image; the pet layer is the last of `layers`, `annotations` are the user's."""
    life = Life("pet", entrypoint=(START,))
    return release_image(
        release,
        recipe,
        base,
        layers,
        life,
        name=name,
        created=created,
        annotations=annotations,
    )


def release_digest(cattle: Sequence[LayerPlan]) -> str:
    """What a volume belongs to: the release's content (hex), whatever base carries it."""
    return keys_digest([plan.key for plan in cattle])


def keys_digest(keys: Iterable[str]) -> str:
    """The release digest, by the keys of the release's layers."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def _check(release: Release, recipe: Recipe) -> None:
    if release.tool is Tool.DISTILLERY:
        raise ReleaseError(
            f"{release.tree.name}: pets are made of releases by mix or relx, not by Distillery",
            hint="Move to `mix release`, which Elixir has since 1.9, or build `--mode cattle`.",
        )
    if not release.has_erts:
        raise ReleaseError(
            f"{release.tree.name}: a pet's release brings its own ERTS, and this one has none",
            hint="Write `include_erts: true` into mix.exs or rebar.config, or build "
            "`--mode cattle`.",
        )
    taken = next((path for path in TAKEN if f"{recipe.pet.volume}/".startswith(f"{path}/")), None)
    if taken:
        raise UsageError(
            f"pet.volume: {recipe.pet.volume}: {taken} is taken: {TAKEN[taken]}",
            hint="Give the volume a folder of its own: `pet: {volume: /upgrades}`.",
        )


def is_script(member: Member) -> bool:
    """Whether it is one of the scripts of `bin/`: a wrapper stands in for it."""
    if not member.path.startswith("bin/") or member.path.count("/") != 1:
        return False
    if isinstance(member, LinkMember):
        return True
    return (
        isinstance(member, FileMember)
        and member.executable
        and next(iter(member.content.stream()), b"").startswith(b"#!")
    )


def _facts(release: Release, recipe: Recipe, cattle: Sequence[LayerPlan]) -> bytes:
    facts = {
        "name": release.name,
        "version": release.version,
        "erts": release.erts_version,
        "digest": release_digest(cattle),
        "volume": recipe.pet.volume,
    }
    for key, value in facts.items():
        if "'" in value or "\n" in value:
            raise ReleaseError(f"{release.tree.name}: a pet's {key} cannot be {value!a}")
    return "".join(f"{key}='{value}'\n" for key, value in facts.items()).encode()


def _volume(recipe: Recipe) -> str:
    return recipe.pet.volume.strip("/")


def _owner(user: str) -> tuple[int, int]:
    """Of the recipe's `UID` or `UID:GID`; Docker takes group 0 where none is named."""
    uid, _, gid = user.partition(":")
    return int(uid), int(gid or "0")


def _script(name: str) -> bytes:
    return files("imagesmith.image.pet").joinpath(name).read_bytes()


def _file(path: str, data: bytes, *, executable: bool = False) -> FileMember:
    return FileMember(path, Content.of_bytes(data), executable)
