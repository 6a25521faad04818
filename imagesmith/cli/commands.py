"""The commands: where each is, and its summary, so that only the one that runs is imported."""

from __future__ import annotations

__all__ = ["COMMANDS", "GROUPS"]

# Every name that a word of the command line follows, and what it is.
GROUPS = {
    "imagesmith": "Container images from Elixir and Erlang releases.",
    "imagesmith docker-plugin": "`docker imagesmith`: imagesmith as a plugin of Docker's command.",
    "imagesmith cache": "The layer cache: what is in it, whether it is whole, how to make room.",
}

# MODULE:FUNCTION in imagesmith.cli, and the first line of the function's docstring.
COMMANDS = {
    "imagesmith build": ("build:build", "Build an image from a release."),
    "imagesmith init": ("init:init", "Write a recipe, with comments, for the project here."),
    "imagesmith inspect": (
        "inspect:inspect",
        "Show a release: its applications, whose each is, and why we think so.",
    ),
    "imagesmith plan": (
        "plan:plan",
        "Say what an upgrade will do before it does it: hot, restart or replace, and why.",
    ),
    "imagesmith schema": ("schema:schema", "Print the recipe's JSON Schema, for editors."),
    "imagesmith compare": (
        "compare:compare",
        "Measure both lives of the same change, under load, and say which fits.",
    ),
    "imagesmith upgrade": (
        "upgrade:upgrade",
        "Upgrade running pets in place: no restart, no dropped connection, no lost state.",
    ),
    "imagesmith confirm": (
        "confirm:confirm",
        "Make the version that runs permanent: every later start boots it.",
    ),
    "imagesmith rollback": (
        "rollback:rollback",
        "Take the running version back: to the permanent one, or from that to the one before.",
    ),
    "imagesmith status": (
        "status:status",
        "Show how pets stand: what runs, what a restart boots, and what the volume holds.",
    ),
    "imagesmith history": (
        "history:history",
        "Show what was done to a pet: when, by whom, and what came of it. The oldest is first.",
    ),
    "imagesmith cache ls": (
        "cache:list_items",
        "List layers and exported bases, the last used first.",
    ),
    "imagesmith cache stats": ("cache:stats", "Count layers and bytes, by group."),
    "imagesmith cache verify": (
        "cache:verify",
        "Check every entry, blob and exported base; exit code 1 if one is damaged.",
    ),
    "imagesmith cache prune": (
        "cache:prune",
        "Make room: the least recently used goes first, and nothing that a running build uses.",
    ),
    "imagesmith cache why": (
        "why:why",
        "Why a layer of B is not one of A: the files and chunks that differ, and the usual cause.",
    ),
    "imagesmith cache export": (
        "parcel:export_archive",
        "Write layers to an archive, the last used first.",
    ),
    "imagesmith cache import": (
        "parcel:import_archive",
        "Take the layers of an archive into the cache; each is checked before.",
    ),
    "imagesmith docker-plugin install": (
        "docker_plugin:install",
        "Put the plugin where Docker looks, so that `docker imagesmith` works.",
    ),
    "imagesmith docker-plugin uninstall": (
        "docker_plugin:uninstall",
        "Take the plugin away again.",
    ),
    "imagesmith completion": (
        "completion:completion",
        "Print what a shell needs to complete commands, options and values.",
    ),
}
