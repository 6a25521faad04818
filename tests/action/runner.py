"""A small runner of composite actions, for action.yml: what GitHub's does, as far as we use it.

Steps run in order, each by bash as GitHub calls it, with the files of GITHUB_ENV, GITHUB_OUTPUT,
GITHUB_PATH and GITHUB_STEP_SUMMARY; `${{ … }}` is filled in everywhere, in scripts too, so that a
script that had an input in it would do here what it does there. actions/cache is a folder that is
copied. Whatever else an action may hold is an error here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NotRequired, TypedDict

import yaml

__all__ = ["Annotation", "CacheService", "Done", "Job", "assignments", "read_annotations"]

EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
COMMAND = re.compile(r"::(?P<name>[a-z0-9-]+)(?: (?P<properties>.*?))?::(?P<data>.*)")
CACHE_ACTION = re.compile(r"actions/cache/(restore|save)@[0-9a-f]{40}")


Step = TypedDict(
    "Step",
    {
        "name": str,
        "id": NotRequired[str],
        "if": NotRequired[str],
        "shell": NotRequired[str],
        "run": NotRequired[str],
        "uses": NotRequired[str],
        "with": NotRequired[Mapping[str, str]],
        "env": NotRequired[Mapping[str, str]],
    },
)


@dataclass(frozen=True, slots=True)
class Annotation:
    """An `error` or a `warning` that GitHub would show."""

    kind: str
    message: str
    properties: Mapping[str, str]


@dataclass(slots=True)
class Done:
    """What became of an action: its exit code, outputs, log, summary and annotations."""

    code: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    path: list[str] = field(default_factory=list)
    annotations: list[Annotation] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)


class CacheService:
    """What actions/cache keeps for a repository: folders by key, which never change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.keys: list[str] = []

    def restore(self, path: Path, key: str, prefixes: Sequence[str]) -> dict[str, str]:
        found = key if key in self.keys else self._newest(prefixes)
        if found:
            shutil.copytree(self._folder / found, path, symlinks=True, dirs_exist_ok=True)
        hit = {"cache-hit": str(found == key).lower()} if found else {}
        return {"cache-primary-key": key, "cache-matched-key": found, **hit}

    def save(self, path: Path, key: str) -> None:
        assert "," not in key and len(key) <= 512
        if key not in self.keys:
            shutil.copytree(path, self._folder / key, symlinks=True)
            self.keys.append(key)

    def _newest(self, prefixes: Sequence[str]) -> str:
        for prefix in prefixes:
            for key in reversed(self.keys):
                if key.startswith(prefix):
                    return key
        return ""


@dataclass(slots=True)
class Job:
    """A job on a machine of its own: `temp` is RUNNER_TEMP, `workspace` the checkout."""

    action: Path
    workspace: Path
    temp: Path
    cache: CacheService
    environment: Mapping[str, str]

    def run(self, **inputs: str) -> Done:
        """Run the action with inputs, which have _ for their dashes."""
        document = yaml.safe_load((self.action / "action.yml").read_text())
        known: Mapping[str, Mapping[str, str]] = document["inputs"]
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert given.keys() <= known.keys(), given.keys() - known.keys()
        values = {name: str(item.get("default", "")) for name, item in known.items()} | given
        return _Run(self, values, Done()).run(document["runs"]["steps"], document["outputs"])


@dataclass(slots=True)
class _Run:
    job: Job
    inputs: Mapping[str, str]
    done: Done
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, steps: Sequence[Step], outputs: Mapping[str, Mapping[str, str]]) -> Done:
        for step in steps:
            if self.done.code or not self._is_true(step.get("if", "'yes' != ''")):
                continue
            self.done.steps.append(step["name"])
            found = self._use(step) if "uses" in step else self._script(step)
            self.outputs[step.get("id", step["name"])] = found
        self.done.outputs = {name: self.fill(item["value"]) for name, item in outputs.items()}
        return self.done

    def fill(self, text: str) -> str:
        return EXPRESSION.sub(lambda found: self._value(found[1]), text)

    def _value(self, name: str) -> str:
        match name.split("."):
            case ["inputs", name]:
                return self.inputs[name]
            case ["steps", step, "outputs", name]:
                return self.outputs.get(step, {}).get(name, "")
            case ["runner", "temp"]:
                return str(self.job.temp)
            case ["runner", "os"]:
                return "Linux"
            case ["runner", "arch"]:
                return "X64"
            case ["github", "job"]:
                return "image"
        raise AssertionError(f"the runner does not know {name}")

    def _is_true(self, condition: str) -> bool:
        """`A == B && C != D …`, where each is a name or a text."""
        return all(self._compare(part.strip()) for part in condition.split("&&"))

    def _compare(self, text: str) -> bool:
        found = re.fullmatch(r"(\S+) (==|!=) (\S+)", text)
        assert found, f"the runner does not know {text}"
        left, right = (
            word[1:-1] if word.startswith("'") else self._value(word) for word in found.group(1, 3)
        )
        # Texts are the same in whatever case (docs.github.com, "Evaluate expressions").
        return (left.lower() == right.lower()) is (found[2] == "==")

    def _use(self, step: Step) -> dict[str, str]:
        found = CACHE_ACTION.fullmatch(step["uses"])
        assert found, f"the runner does not know {step['uses']}"
        wanted = {name: self.fill(value) for name, value in step["with"].items()}
        path = Path(wanted["path"])
        if found[1] == "save":
            self.job.cache.save(path, wanted["key"])
            return {}
        return self.job.cache.restore(path, wanted["key"], wanted["restore-keys"].split())

    def _script(self, step: Step) -> dict[str, str]:
        assert step.get("shell") == "bash"
        files = self.job.temp / "_runner_file_commands"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir(parents=True)
        names = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
        commands = {name: files / name.lower() for name in names}
        for file in commands.values():
            file.touch()
        script = files / "script.sh"
        script.write_text(self.fill(step["run"]))
        ours = {name: self.fill(str(value)) for name, value in step.get("env", {}).items()}
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
            cwd=self.job.workspace,
            env={
                **self.job.environment,
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTION_PATH": str(self.job.action),
                "GITHUB_WORKSPACE": str(self.job.workspace),
                "RUNNER_TEMP": str(self.job.temp),
                **self.environment,
                **{name: str(file) for name, file in commands.items()},
                **ours,
            },
        )
        self.done.code = ran.returncode
        self.done.log += ran.stdout
        self.done.annotations += read_annotations(ran.stdout)
        self.done.summary += commands["GITHUB_STEP_SUMMARY"].read_text()
        self.done.path += commands["GITHUB_PATH"].read_text().splitlines()
        self.environment |= assignments(commands["GITHUB_ENV"].read_text())
        return assignments(commands["GITHUB_OUTPUT"].read_text())


def assignments(text: str) -> dict[str, str]:
    """`NAME=VALUE`, or `NAME<<END`, lines, `END`."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        name, here, end = line.partition("<<")
        if here and "=" not in name:
            value = []
            while (line := next(lines)) != end:
                value.append(line)
            found[name] = "\n".join(value)
        elif line:
            name, equals, found[name] = line.partition("=")
            assert equals, f"not an assignment: {line}"
    return found


def read_annotations(log: str) -> list[Annotation]:
    """The errors and warnings among the commands of a log; none while commands are stopped."""
    found, stopped = [], ""
    for line in log.splitlines():
        command = COMMAND.match(line.strip())
        if command is None:
            continue
        if stopped:
            stopped = "" if command["name"] == stopped else stopped
        elif command["name"] == "stop-commands":
            stopped = command["data"]
        elif command["name"] in {"error", "warning", "notice"}:
            words = filter(None, (command["properties"] or "").split(","))
            properties = {
                key: _unescape(value, PROPERTY)
                for key, _, value in (w.partition("=") for w in words)
            }
            data = _unescape(command["data"], DATA)
            found.append(Annotation(command["name"], data, properties))
        else:
            assert command["name"] in {"group", "endgroup"}, f"not a command of ours: {line}"
    return found


DATA = {"%0D": "\r", "%0A": "\n", "%25": "%"}
PROPERTY = {"%3A": ":", "%2C": ",", **DATA}


def _unescape(text: str, by: Mapping[str, str]) -> str:
    replace: Callable[[re.Match[str]], str] = lambda found: by[found[0]]  # noqa: E731
    return re.sub("|".join(by), replace, text)
