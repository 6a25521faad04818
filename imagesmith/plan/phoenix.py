"""What Phoenix keeps from its start: an endpoint's manifest and configuration, open LiveViews.

An endpoint (behaviour Phoenix.Endpoint) copies its configuration and the manifest of static files
into a table when it starts. It does so anew when its `config_change/2` is told of other
configuration (Phoenix.Endpoint.Supervisor, Phoenix.Config); OTP has an application told only where
its environment differs (application_controller:config_change/1). A LiveView (`__live__/0`) that is
open is a process, which renders with new code at its next event (Phoenix.LiveView.Channel).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagesmith.beam.assembly import disassemble
from imagesmith.beam.module import chunks
from imagesmith.beam.origin import Origin
from imagesmith.beam.term import Atom
from imagesmith.errors import ModuleError
from imagesmith.plan.code import Running, exported, imported
from imagesmith.plan.config import config_keys
from imagesmith.plan.environment import Environment, KeyChange, fields, read_environment
from imagesmith.plan.reason import Reason, Verdict
from imagesmith.plan.structs import changed_modules
from imagesmith.plan.words import listed, modules_listed

__all__ = ["phoenix_endpoints", "phoenix_live_views"]

ENDPOINT = "Elixir.Phoenix.Endpoint"
MANIFEST = "priv/static/cache_manifest.json"
LIVE = "__live__/0"
AT_START = frozenset("adapter drainer force_watchers http https server watchers".split())
"""Keys of an endpoint from which it makes its children: they are read when it starts."""

REMOUNT = (
    "Nothing to do, where the new render needs no assign that mount/3 newly sets: such a view "
    "crashes at its next event, and its browser mounts it anew."
)


def phoenix_endpoints(before: Running, after: Running) -> Iterator[Reason]:
    """Endpoints in both releases whose manifest or configuration differs."""
    both = [found for found in _endpoints(after) if found in set(_endpoints(before))]
    if not both:
        return
    keys = config_keys(before, after)
    environments = read_environment(before.release), read_environment(after.release)
    for application, module in both:
        changes = [key for key in keys if key.path[0] == module]
        yield from _configuration(after, application, module, changes)
        manifests = [
            _manifest(running, environment, application, module)
            for running, environment in zip((before, after), environments, strict=True)
        ]
        if manifests[0] != manifests[1]:
            yield _stale_manifest(application, module, bool(changes))


def phoenix_live_views(before: Running, after: Running) -> Iterator[Reason]:
    """The LiveViews and live components that change, of each application."""
    found: dict[str, list[str]] = {}
    for application, module, old, new in changed_modules(before, after):
        if new is not None and LIVE in exported(old) & exported(new):
            found.setdefault(application, []).append(module)
    for application, modules in found.items():
        says = (
            f"open LiveViews keep what {modules_listed(modules)} rendered until their next event "
            "or message"
        )
        yield Reason(Verdict.HOT, "live-view", says, REMOUNT, application)


def _configuration(
    after: Running, application: str, module: str, changes: Sequence[KeyChange]
) -> Iterator[Reason]:
    name = module.removeprefix("Elixir.")
    restart = sorted({key.path[1] for key in changes if key.path[1:2] and key.path[1] in AT_START})
    if restart:
        yield Reason(
            Verdict.HOT,
            "phoenix-endpoint",
            f"{name} read {listed(restart)} when it started, and keeps what it was then",
            "Restart the endpoint by {restart_child, …} of its supervisor: connections end.",
            application,
            name,
        )
    if changes and not _is_told(after, changes[0].application, module):
        yield Reason(
            Verdict.HOT,
            "phoenix-endpoint",
            f"{name} keeps the configuration of its start: {changes[0].application} has no "
            "config_change/3 that tells it of another",
            "Write config_change/3 into the application's module, as `mix phx.new` does.",
            application,
            name,
            f"def config_change(changed, _new, removed) do\n"
            f"  {name}.config_change(changed, removed)\n  :ok\nend",
        )


def _stale_manifest(application: str, module: str, is_configured: bool) -> Reason:
    """A manifest is read anew with other configuration, and kept where there is none."""
    name = module.removeprefix("Elixir.")
    if is_configured:
        says = f"{name} reads its new manifest of static files once it is told of its configuration"
        way_out = "Nothing to do: its config_change/2 has to be called, which `mix phx.new` writes."
    else:
        says = f"{name} keeps the manifest of static files of its start, and links to OLD's files"
        way_out = (
            f"Call {name}.config_change/2 with its present configuration after the upgrade: by an "
            "`apply` in the appup, or rpc."
        )
    example = f"{name}.config_change([{{{name}, Application.get_env(:{application}, {name})}}], [])"
    return Reason(
        Verdict.HOT,
        "phoenix-endpoint",
        says,
        way_out,
        application,
        name,
        None if is_configured else example,
    )


def _endpoints(running: Running) -> Iterator[tuple[str, str]]:
    """Application and module of each endpoint."""
    for application in running.applications.values():
        if application.origin in (Origin.OTP, Origin.ELIXIR):
            continue
        for module in running.code(application.name).modules:
            file = running.module(application.name, module)
            try:
                # To look for the name first spares reading the code of every module.
                if ENDPOINT.encode() in chunks(file).get(b"Attr", b"") and (
                    ENDPOINT in disassemble(file).behaviours
                ):
                    yield application.name, module
            except ModuleError:
                continue


def _manifest(
    running: Running, environment: Environment, application: str, module: str
) -> str | None:
    """The hash of the manifest that the endpoint's configuration names, or of Phoenix's own."""
    configured = dict(fields(environment.get(application, {}).get(module)))
    owner, path = application, MANIFEST
    match configured.get("cache_static_manifest"):
        case (Atom() as other, bytes(place)):
            owner, path = str(other), place.decode(errors="replace")
        case bytes(place):
            path = place.decode(errors="replace")
    return running.code(owner).others.get(path) if owner in running.applications else None


def _is_told(after: Running, application: str, module: str) -> bool:
    """Whether a module of the application calls the endpoint's `config_change/2`."""
    if application not in after.applications:
        return False
    return any(
        f"{module}:config_change/2" in imported(after.module(application, name))
        for name in after.code(application).modules
    )
