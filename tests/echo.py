"""Real releases of fixtures/echo, built by rebar3 and relx."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

__all__ = ["ECHO", "build_echo", "build_next_echo"]

ECHO = Path(__file__).resolve().parent.parent / "fixtures/echo"


def build_echo(*arguments: str, **env: str) -> Path:
    """Run the fixture's build script; returns the release, or its tarball with `--tar`."""
    done = subprocess.run(
        [ECHO / "build", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    return Path(done.stdout.strip())


def build_next_echo(work: Path) -> Path:
    """The release 0.2.0, built in an empty folder: the counter's state is another, what says lines
    again has a tally kept by a new child, of a new module, and a greeting that is new too."""
    build_echo("--work", str(work))
    for name, was, now in NEXT:
        file = work / name
        assert was in file.read_text(), name
        file.write_text(file.read_text().replace(was, now))
    (work / "apps/echo/src/echo_tally.erl").write_text(TALLY)
    shutil.rmtree(work / "_build/default/rel")
    subprocess.run(
        ["rebar3", "release"],
        cwd=work,
        env={**os.environ, "REBAR_OFFLINE": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return work / "_build/default/rel/echo"


COUNTER = "apps/echo/src/echo_counter.erl"
NEXT = (
    ("rebar.config", '{echo, "0.1.0"}', '{echo, "0.2.0"}'),
    ("apps/echo/src/echo.app.src", '{vsn, "0.1.0"}', '{vsn, "0.2.0"}'),
    ("apps/echo/priv/greeting.txt", "\n", " (new)\n"),
    ("apps/echo/src/echo_line.erl", "echo_counter:add(),", "echo_counter:add(), echo_tally:add(),"),
    (
        "apps/echo/src/echo_sup.erl",
        "#{id => listener",
        "#{id => tally, start => {echo_tally, start_link, []}},\n        #{id => listener",
    ),
    (COUNTER, "handle_cast/2]", "handle_cast/2, code_change/3]"),
    (COUNTER, "{ok, 0}", "{ok, {counter, 0}}"),
    (
        COUNTER,
        "_From, Count) ->\n    {reply, Count, Count}",
        "_From, {counter, Count} = State) ->\n    {reply, Count, State}",
    ),
    (
        COUNTER,
        "handle_cast(add, Count) ->\n    {noreply, Count + 1}.",
        """\
handle_cast(add, {counter, Count}) ->
    {noreply, {counter, Count + 1}}.

code_change({down, _}, {counter, Count}, _) ->
    {ok, Count};
code_change(_, Count, _) ->
    {ok, {counter, Count}}.""",
    ),
)
TALLY = """\
-module(echo_tally).
-behaviour(gen_server).
-export([start_link/0, add/0, value/0]).
-export([init/1, handle_call/3, handle_cast/2]).
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).
add() -> gen_server:cast(?MODULE, add).
value() -> gen_server:call(?MODULE, value).
init([]) -> {ok, 0}.
handle_call(value, _From, Count) -> {reply, Count, Count}.
handle_cast(add, Count) -> {noreply, Count + 1}.
"""
