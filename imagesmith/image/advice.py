"""What usually causes a layer to change, in plain words, and the way out: every text in one place.

`image/causes.py` tells which cause a difference has, and by which fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ADVICE", "Advice", "Cause"]


class Cause(StrEnum):
    """The causes, by the names that `--json` gives them."""

    LINES = "moved-lines"
    ABSOLUTE_PATHS = "absolute-paths"
    CODE = "code"
    COMPILE_CONFIG = "compile-time-config"
    PROTOCOL = "protocol"
    TOOLCHAIN = "toolchain"
    DEPENDENCY = "dependency"
    STRIPPED_TYPES = "stripped-types"
    STRIP = "strip"
    NOT_CANONICAL = "not-canonical"
    DEVIATING = "deviating-module"
    VERSION = "version"
    CONFIG_MTIME = "config-mtime"
    RESOURCE = "application-resource"
    RUNTIME_CONFIG = "configuration"
    RELEASE_FILE = "release-file"
    NATIVE = "native"
    CONTENT = "content"
    MODE = "mode"
    LINK = "link"
    KIND = "kind"
    ADDED = "added"
    REMOVED = "removed"
    CUT_BUCKETS = "cut-buckets"
    CUT_OWNER = "cut-owner"
    CUT_BUDGET = "cut-budget"
    CUT_SIZE = "cut-size"
    CODEC = "codec"
    METADATA = "metadata"
    BASE = "base"


@dataclass(frozen=True, slots=True)
class Advice:
    """What the cause is, and what to do about it."""

    what: str
    way_out: str


ADVICE: Mapping[Cause, Advice] = {
    Cause.LINES: Advice(
        "Only the line numbers differ that stack traces show: lines above the code came, went or "
        "moved, as a comment or a formatter moves them.",
        "Nothing is wrong: the traces have to be right. Keep reformatting apart from changes "
        "that are deployed often.",
    ),
    Cause.ABSOLUTE_PATHS: Advice(
        "The compiler wrote the absolute path of the source into the module, so that another "
        "folder gives another module. rebar3 does, unless it is told not to.",
        "Add `deterministic` to `erl_opts` in rebar.config, for dependencies too: "
        "`{overrides, [{add, [{erl_opts, [deterministic]}]}]}`; or always build in the same "
        "folder, as a container does.",
    ),
    Cause.CODE: Advice(
        "The module's code differs: its source changed, or a macro, a struct or a file that it "
        "is compiled with.",
        "If its own source did not change, `mix xref graph --label compile --sink FILE` shows "
        "what it depends on at compile time.",
    ),
    Cause.COMPILE_CONFIG: Advice(
        "Configuration that `Application.compile_env` reads is compiled into the modules, and it "
        "differs.",
        "Read it at run time, from config/runtime.exs by `Application.get_env`, if it differs "
        "between builds that should share their layers.",
    ),
    Cause.PROTOCOL: Advice(
        "A consolidated protocol lists its implementations, so an implementation that comes or "
        "goes anywhere in the umbrella rebuilds it.",
        "Nothing is wrong: protocols have a small layer of their own for this.",
    ),
    Cause.TOOLCHAIN: Advice(
        "Another Erlang/OTP or Elixir compiled the modules, or it is part of the release. Changes "
        "of the sources may hide among the others.",
        "Pin both versions (.tool-versions, or the digest of the image that builds) wherever the "
        "release is built. After an upgrade, all of it ships once.",
    ),
    Cause.DEPENDENCY: Advice(
        "Another version of an application that is not your own: of a dependency, OTP or Elixir.",
        "Nothing is wrong where the lock file (mix.lock, rebar.lock) changed. If it did not, it is "
        "not in use: commit it, and build with `mix deps.get --check-locked`.",
    ),
    Cause.STRIPPED_TYPES: Advice(
        "Only one side has the chunks Type or Meta. Elixir up to 1.15 strips them from a release, "
        "later ones keep them.",
        "Build both with the same Elixir.",
    ),
    Cause.STRIP: Advice(
        "One side was built with debug information or docs in its modules, the other without.",
        "Use the same `strip_beams` in mix.exs and the same `layers.strip` in the recipe; "
        "`layers: {strip: always}` takes both out of either. (Elixir up to 1.15 strips Type and "
        "Meta besides, which no recipe can.)",
    ),
    Cause.NOT_CANONICAL: Advice(
        "One side was built with `canonical: false`, or not by imagesmith: its modules hold what "
        "the VM does not execute, such as the path of the build.",
        "Leave `canonical: false` out of the recipe.",
    ),
    Cause.DEVIATING: Advice(
        "The file is not a module as OTP's compiler writes it, so imagesmith takes it as it is, "
        "build paths included.",
        "Look for what post-processes it (encryption, an obfuscator, an old compiler).",
    ),
    Cause.VERSION: Advice(
        "A version number differs. It stands in `.app` files, in the boot script and in links, "
        "all of them in the release's own small layer; no version is in another layer's paths.",
        "For your own applications nothing is wrong. A module that has the version compiled into "
        "it (`@vsn`, `Mix.Project.config()[:version]`) changes with each: read "
        "`Application.spec(app, :vsn)` at run time.",
    ),
    Cause.CONFIG_MTIME: Advice(
        "Elixir 1.17 writes into `.app` files when the project's files last changed "
        "(`config_mtime`), and a fresh checkout gives them a new time.",
        "Use Elixir 1.18 or later, or give mix.exs, mix.lock and config/*.exs a fixed time before "
        "the release is built (`touch -d @315532800 …`).",
    ),
    Cause.RESOURCE: Advice(
        "The application's resource file differs: modules came or went, or its dependencies or "
        "its environment in mix.exs or .app.src changed.",
        "Nothing to do where the change is meant.",
    ),
    Cause.RUNTIME_CONFIG: Advice(
        "The release's configuration differs: config/*.exs, runtime.exs, vm.args or env.sh.",
        "Take what differs between deployments from the environment, in config/runtime.exs.",
    ),
    Cause.RELEASE_FILE: Advice(
        "A file that the release's tool writes differs. Boot scripts and the .rel file follow "
        "from the applications and their versions.",
        "Look at the other differences first: it mostly follows from them.",
    ),
    Cause.NATIVE: Advice(
        "Native code was compiled anew. A compiler writes its own version (.comment), a build ID "
        "and debug information with the folder of the build into what it makes.",
        "Build with the same compiler and OTP package. Strip the debug information (`-s`, or "
        "`strip --strip-unneeded`) and map the folder away (`-ffile-prefix-map=$PWD=.`). Keep "
        "compiled NIFs (elixir_make's precompiler, a cache of _build) instead of making them anew.",
    ),
    Cause.CONTENT: Advice(
        "The file's content differs.",
        "If nobody changed it, something generates it: a time, a commit or a random value in it "
        "ships its layer at every build. Take that from the environment instead.",
    ),
    Cause.MODE: Advice(
        "The file became executable, or ceased to be. No other part of a mode reaches a layer, so "
        "no umask does.",
        "Set it in git (`git update-index --chmod=+x FILE`), and keep archives and volumes that "
        "drop modes out of the build.",
    ),
    Cause.LINK: Advice(
        "The symbolic link leads somewhere else.",
        "Nothing to do where the change is meant.",
    ),
    Cause.KIND: Advice(
        "A file became a link or a folder, or the reverse. Mix follows links in priv and copies "
        "what they lead to.",
        "Build both sides by the same steps.",
    ),
    Cause.ADDED: Advice("The file is new.", "Nothing to do where it is meant to be shipped."),
    Cause.REMOVED: Advice(
        "The file is gone.", "Nothing to do where it is not meant to be shipped."
    ),
    Cause.CUT_BUCKETS: Advice(
        "A large application is cut into buckets by the number of its modules, and it passed a "
        "power of two: its modules lie in other layers now.",
        "Nothing is wrong: it happens once, and each bucket ships less from then on.",
    ),
    Cause.CUT_OWNER: Advice(
        "An application was told apart otherwise (own, third-party, …), so it lies in another "
        "layer. A release that is away from its project has no lock file to tell.",
        "List the team's own applications in the recipe: `layers: {own: [APP, …]}`. "
        "`imagesmith inspect` shows each verdict.",
    ),
    Cause.CUT_BUDGET: Advice(
        "There are more layers than `layers.max` allows on one side, so groups of them were "
        "merged there.",
        "Build both with the same `layers.max`, and raise it if there is room.",
    ),
    Cause.CUT_SIZE: Advice(
        "An application passed the size from which it, or its priv, has a layer of its own "
        "(512 KiB, priv 256 KiB), or fell below it.",
        "Nothing is wrong: it happens once.",
    ),
    Cause.CODEC: Advice(
        "The content is the same, but compressed by another codec or another version of it, so "
        "that a registry knows it by another digest.",
        "Build with the same version of imagesmith and `deflate`, or with `--cache-from`, which "
        "takes the blob that is there.",
    ),
    Cause.METADATA: Advice(
        "Every file is the same: what differs is said around them in the layer's tar (times, "
        "owners, other modes, order).",
        "Build both sides by the same tool.",
    ),
    Cause.BASE: Advice(
        "The base differs: other packages, another sysroot or another image.",
        "Pin it by digest (`base: NAME@sha256:…`, `oci:DIR@sha256:…`), or name one sysroot for "
        "all builders; take in new packages on purpose.",
    ),
}
