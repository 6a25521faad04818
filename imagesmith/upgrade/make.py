"""From OLD and NEW to a bundle: the plan, the relup, and the files that NEW brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagesmith.beam.release import Release
from imagesmith.beam.term import Term
from imagesmith.errors import UpgradeError
from imagesmith.image.image import Image
from imagesmith.image.pet.image import release_digest
from imagesmith.layer.build import build_layer
from imagesmith.layer.member import Content, FileMember, FolderMember, LinkMember, Member
from imagesmith.layer.split import Group, LayerPlan, Piece
from imagesmith.layer.store import Store
from imagesmith.oci.blob import Source
from imagesmith.plan.code import Running, calls, exports_impl
from imagesmith.plan.plan import Plan, make_plan
from imagesmith.recipe import Recipe
from imagesmith.upgrade.before import Before
from imagesmith.upgrade.bundle import Bundle, make_bundle
from imagesmith.upgrade.facts import IMAGE, BundleFile, BundleLink, Facts
from imagesmith.upgrade.relup import Direction, Relup, complete, loaded
from imagesmith.upgrade.systools import Run, make_relup

__all__ = ["After", "Hot", "Upgrade", "bundle_of", "make_upgrade", "plan_upgrade"]


@dataclass(frozen=True, slots=True)
class After:
    """NEW: its release, and the layers that its cattle image has."""

    release: Release
    recipe: Recipe
    plans: Sequence[LayerPlan]


@dataclass(frozen=True, slots=True)
class Hot:
    """An upgrade that nothing stands against; its relup is still to be made."""

    before: Before
    after: After
    old: Running
    new: Running
    plan: Plan


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What is to be done, before NEW's image is there; `warnings` are for people."""

    before: Before
    after: After
    plan: Plan
    relup: Relup
    warnings: tuple[str, ...]


def plan_upgrade(before: Before, after: After) -> Hot:
    """Find the way from OLD to NEW.

    Raises UpgradeError with every reason if there is no hot one, ReleaseError for a release that
    is broken.
    """
    volume = after.recipe.pet.volume
    if before.volume not in (None, volume):
        raise UpgradeError(
            f"{after.release.name}: OLD has its volume at {before.volume}, NEW at {volume}",
            hint="The volume stays where it is mounted: leave `pet: {volume: …}` as it was.",
        )
    old, new = Running(before.release), Running(after.release)
    plan = make_plan(old, new, after.recipe.pet.appups)
    plan.check_hot()
    return Hot(before, after, old, new, plan)


def make_upgrade(hot: Hot, scratch: Path, run: Run) -> Upgrade:
    """Make the relup; `scratch` is an empty folder for systools. Raises as `make_relup`."""
    before, after, plan = hot.before, hot.after, hot.plan
    volume = after.recipe.pet.volume
    appups = {name: appup.data for name, appup in plan.appups.items()}
    made, warnings = make_relup(before.release, after.release, appups, scratch, run)
    relup = complete(
        made,
        _direction(hot.old, hot.new, plan, made.up, volume),
        _direction(hot.new, hot.old, plan, made.down, volume),
    )
    return Upgrade(before, after, plan, relup, (*warnings, *_overlays(before.release, after)))


def bundle_of(upgrade: Upgrade, image: Image, digest: str, store: Store) -> Bundle:
    """The bundle of an upgrade, once NEW's image is there; `digest` is what names it there, which
    under BuildKit is not its own. Raises as `build_layer`."""
    files, links, own = _sorted_out(upgrade, image)
    release = upgrade.after.release
    piece = Piece.of(Group.PET, f"upgrade {release.name}", own)
    layer = build_layer(LayerPlan(Group.PET, "upgrade", "", (piece,)), store)
    for member in own:
        if isinstance(member, FileMember):
            files.append(
                BundleFile(
                    member.path,
                    member.content.sha256,
                    member.executable,
                    layer.diff_id,
                    member.path,
                )
            )
    used = {file.layer for file in files}
    layers = [item for item in (*image.layers, layer) if item.diff_id in used]
    facts = Facts(
        name=release.name,
        tool=str(release.tool),
        erts=release.erts_version,
        before=upgrade.before.release.version,
        after=release.version,
        before_digest=upgrade.before.digest,
        after_digest=release_digest(upgrade.after.plans),
        changes=upgrade.plan.changes,
        files=tuple(sorted(files, key=lambda file: file.path)),
        links=tuple(sorted(links, key=lambda link: link.path)),
        volume=upgrade.after.recipe.pet.volume,
        image=digest,
        size=_size(upgrade, own),
        layers=tuple(item.diff_id for item in layers),
    )
    sources = [Source(item.descriptor, item.open, item.holders) for item in layers]
    return make_bundle(facts, sources)


def _direction(
    source: Running, target: Running, plan: Plan, instructions: Sequence[Term], volume: str
) -> Direction:
    where = {
        module: change.name
        for change in plan.changes
        if change.name in target.applications
        for module in target.code(change.name).modules
    }
    there = {
        module
        for change in plan.changes
        if change.name in source.applications
        for module in source.code(change.name).modules
    }
    brought = [module for item in instructions if (module := loaded(item)) and module in where]
    files = {module: target.module(where[module], module) for module in brought}
    return Direction(
        added=where.keys() - there,
        implementations={module for module, data in files.items() if exports_impl(data)},
        calls={module: calls(data) for module, data in files.items()},
        protocols=set(target.protocols),
        differing=[
            name
            for name, digest in sorted(target.protocols.items())
            if source.protocols.get(name) != digest
        ],
        path_from=_consolidated(source, volume),
        path_to=_consolidated(target, volume),
    )


def _consolidated(of: Running, volume: str) -> str | None:
    """As mix's boot script has it in the code path: $RELEASE_LIB/../releases/VSN/consolidated."""
    return f"{volume}/lib/../{of.release.consolidated}" if of.protocols else None


def _sorted_out(
    upgrade: Upgrade, image: Image
) -> tuple[list[BundleFile], list[BundleLink], list[Member]]:
    """What NEW brings: files of the image's layers, links, and members of the upgrade's layer."""
    release = upgrade.after.release
    by_key = {layer.key: layer.diff_id for layer in image.layers}
    files: list[BundleFile] = []
    links: list[BundleLink] = []
    own: dict[str, Member] = {item.path: item for item in _added(upgrade)}
    for plan in upgrade.after.plans:
        for member in plan.members:
            place = _place(upgrade, member)
            if place is None or place in own or isinstance(member, FolderMember):
                continue
            if plan.group is Group.NATIVE:
                links.append(BundleLink(place, f"{IMAGE}/{member.path}"))
            elif isinstance(member, LinkMember):
                if place != release.consolidated:
                    links.append(BundleLink(place, member.target))
            elif plan.group is Group.RELEASE:
                own[place] = FileMember(place, member.content, member.executable)
            else:
                files.append(
                    BundleFile(
                        place,
                        member.content.sha256,
                        member.executable,
                        by_key[plan.key],
                        f"{plan.prefix}/{member.path}",
                    )
                )
    return files, links, list(own.values())


def _added(upgrade: Upgrade) -> Iterator[FileMember]:
    """What no image has: the relup, the appups, NEW's digest."""
    release = upgrade.after.release
    yield _file(f"{release.folder}/relup", upgrade.relup.to_bytes())
    yield _file(f"{release.folder}/digest", f"{release_digest(upgrade.after.plans)}\n".encode())
    folders = {item.name: item.folder for item in release.applications}
    for name, appup in upgrade.plan.appups.items():
        yield _file(f"{folders[name]}/ebin/{name}.appup", appup.data)


def _place(upgrade: Upgrade, member: Member) -> str | None:
    """Where a member of NEW's cattle image lies on the volume; None if no upgrade brings it."""
    release = upgrade.after.release
    changed = {
        change.name: f"lib/{change.name}-{change.after}"
        for change in upgrade.plan.changes
        if change.after is not None
    }
    top, _, below = member.path.partition("/")
    if top == "consolidated":
        return f"{release.consolidated}/{below}"
    if top == "bin":
        return f"{release.folder}/{member.path}"
    if member.path.startswith(f"{release.folder}/"):
        return member.path
    name, slash, rest = below.partition("/")
    if top == "lib" and slash and name in changed:
        return f"{changed[name]}/{rest}"
    return None


def _overlays(before: Release, after: After) -> Iterator[str]:
    """Files in the release's root have no version, so the running image's stay."""
    for plan in after.plans:
        for member in plan.members:
            if plan.group is not Group.RELEASE or not isinstance(member, FileMember):
                continue
            if member.path.startswith(("lib/", "bin/", "releases/")):
                continue
            entry = before.tree.entries.get(member.path)
            same = (
                entry is not None
                and Content.of(
                    lambda path=member.path: before.tree.stream(path)  # type: ignore[misc]
                ).sha256
                == member.content.sha256
            )
            if not same:
                yield f"{member.path} is another in NEW; an upgrade leaves the image's in place"


def _size(upgrade: Upgrade, own: Sequence[Member]) -> int:
    shipped = sum(item.content.size for item in own if isinstance(item, FileMember))
    for plan in upgrade.after.plans:
        if plan.group not in (Group.NATIVE, Group.RELEASE):
            shipped += sum(
                member.content.size
                for member in plan.members
                if isinstance(member, FileMember) and _place(upgrade, member)
            )
    return shipped


def _file(path: str, data: bytes) -> FileMember:
    return FileMember(path, Content.of_bytes(data))
