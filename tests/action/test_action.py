"""action.yml, its steps run in order: what comes out, what is sent, what a failure says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.action.conftest import Machine
from tests.action.runner import CacheService, Done
from tests.oracles import run
from tests.registries.proxy import proxy
from tests.trees import make_release

pytestmark = pytest.mark.oracle


def good(done: Done) -> Done:
    assert done.code == 0, done.log
    assert not [item for item in done.annotations if item.kind == "error"]
    return done


def failed(done: Done) -> str:
    """The one sentence of an action that has failed."""
    assert done.code, done.log
    assert not any(done.outputs.values()), done.outputs
    [error] = [item for item in done.annotations if item.kind == "error"]
    assert error.properties["title"] == "imagesmith"
    assert "\n" not in error.message
    assert "imagesmith build failed" in done.summary
    assert error.message in done.summary
    return error.message


def test_it_installs_what_is_pinned_and_nothing_else(installed: tuple[Path, Done]) -> None:
    temp, done = installed
    home = temp / "imagesmith"
    assert done.path == [str(home / "bin")]
    assert [path.name for path in (home / "bin").iterdir()] == ["imagesmith"]
    listed = subprocess.run(
        [home / "venv/bin/python", "-I", "-m", "pip", "list", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    there = {re.sub("[-_.]+", "-", item["name"]).lower() for item in json.loads(listed.stdout)}
    lock = Path(__file__).parents[2] / ".ci/runtime.txt"
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock.read_text(), re.MULTILINE))
    assert there - {"pip", "setuptools", "wheel"} == pinned
    version = subprocess.run(
        [home / "bin/imagesmith", "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("imagesmith ")


def test_a_mistake_in_an_input_is_named(installed: tuple[Path, Done]) -> None:
    assert failed(installed[1]) == "context: no-such-folder: there is no such folder"


def test_an_image_is_pushed_and_the_next_steps_know_it(
    machine: Machine, workspace: Path, host: str
) -> None:
    tag = f"{host}/team/shop:0.1.0"
    done = good(
        machine().run(
            tags=f"{tag}\n{host}/team/shop:latest",
            push="true",
            platforms="linux/amd64",
            labels="org.opencontainers.image.revision=abc\nteam=a, b",
            annotations="org.opencontainers.image.source=https://shop.example/code",
        )
    )
    digest = run("crane", "digest", tag).strip()
    assert done.outputs["digest"] == digest
    assert done.outputs["image"] == f"{tag}@{digest}"
    assert run("crane", "digest", f"{host}/team/shop:latest").strip() == digest
    metadata = json.loads(done.outputs["metadata"])
    assert metadata["containerimage.digest"] == digest
    assert metadata["containerimage.config.digest"] == done.outputs["imageid"]
    config = json.loads(run("crane", "config", tag))["config"]
    assert config["Labels"]["team"] == "a, b"
    manifest = json.loads(run("crane", "manifest", tag))
    assert manifest["annotations"]["org.opencontainers.image.source"] == "https://shop.example/code"
    assert f"```\n{tag}@{digest}\n```" in done.summary
    rows = re.findall(r"^\| (\S+) +\| .* \| .*B \| written \|$", done.summary, re.MULTILINE)
    assert len(rows) == len(manifest["layers"])
    assert not done.outputs["bundle"]


def test_an_empty_machine_with_the_kept_cache_writes_and_sends_nothing(
    machine: Machine, workspace: Path, host: str, tmp_path: Path, service: CacheService
) -> None:
    first = good(machine().run(tags=f"{host}/shop:1", push="true"))
    [kept] = service.keys
    with proxy(host) as way:
        tag = f"{way.host}/shop:2"
        second = good(machine().run(tags=tag, push="true"))
        assert not way.requests("POST|PATCH")
    assert second.outputs["digest"] == first.outputs["digest"]
    assert "| written |" not in second.summary
    assert "0 written (0.0 kB)" in second.summary
    assert "0.0 kB pushed: 0 blobs sent" in second.summary
    assert service.keys == [kept]
    assert "Keep the layer cache" not in second.steps


def test_what_changed_is_written_and_kept_anew(
    machine: Machine, workspace: Path, host: str, service: CacheService
) -> None:
    good(machine().run(tags=f"{host}/shop:1", push="true"))
    (workspace / "_build/prod/rel/shop/lib/shop-0.1.0/priv/static/robots.txt").write_text("none")
    done = good(machine().run(tags=f"{host}/shop:2", push="true"))
    assert len(re.findall(r"\| written \|", done.summary)) == 1
    assert len(service.keys) == 2


@pytest.mark.parametrize(("cache", "no_cache"), [("false", "false"), ("true", "true")])
def test_without_the_cache_nothing_is_kept(
    cache: str, no_cache: str, machine: Machine, workspace: Path, service: CacheService
) -> None:
    done = good(machine().run(cache=cache, no_cache=no_cache, outputs="type=oci,dest=shop.tar"))
    assert not service.keys
    assert "Fetch the layer cache" not in done.steps
    assert (workspace / "shop.tar").is_file()


def test_an_umbrella_has_a_line_for_each_image(machine: Machine, tmp_path: Path, host: str) -> None:
    job = machine()
    for name in ("web", "worker"):
        make_release(job.workspace / f"app/{name}", name=f"shop_{name}")
    (job.workspace / "app/imagesmith.yml").write_text(
        "version: 1\nreleases: {web: {path: web}, worker: {path: worker}}\n"
    )
    tags = f"{host}/{{release}}:{{version}}"
    done = good(job.run(context="app", tags=tags, push="true", mode="pet"))
    wanted = [run("crane", "digest", f"{host}/{name}:0.1.0").strip() for name in ("web", "worker")]
    assert done.outputs["digest"].splitlines() == wanted
    assert len(done.outputs["image"].splitlines()) == 2
    assert "### web 0.1.0, worker 0.1.0" in done.summary.replace("\\", "")


def test_a_mistake_of_the_recipe_is_shown_where_it_stands(
    machine: Machine, workspace: Path
) -> None:
    (workspace / "imagesmith.yml").write_text(
        "version: 1\nprots: [4000]\nrelease: {path: _build/prod/rel/shop}\nports: [web]\n"
    )
    done = machine().run(outputs="type=oci,dest=shop.tar")
    assert "prots: unknown key; did you mean `ports`?" in failed(done)
    [error] = [item for item in done.annotations if item.kind == "error"]
    assert (error.properties["file"], error.properties["line"]) == ("imagesmith.yml", "2")
    assert done.code == 2
    assert "imagesmith.yml:4:" in done.summary


def test_a_push_that_fails_leaves_nothing_behind(
    machine: Machine, workspace: Path, service: CacheService
) -> None:
    job = machine()
    done = job.run(tags="127.0.0.1:1/shop:1", push="true")
    assert "127.0.0.1:1" in failed(done)
    assert done.code == 1
    assert not service.keys
    assert not list(job.temp.glob("imagesmith-action-*"))
    assert [path.name for path in workspace.iterdir()] == ["_build"]


def test_a_base_that_cannot_carry_the_release_is_told_in_its_sentence(
    machine: Machine, workspace: Path, host: str
) -> None:
    (workspace / "imagesmith.yml").write_text(
        "version: 1\nrelease: {path: _build/prod/rel/shop}\nbase: oci:./nowhere.oci\n"
    )
    done = machine().run(tags=f"{host}/shop:1", push="true")
    assert "nowhere.oci" in failed(done)
    assert run("crane", "catalog", host).split() == []


EVIL = "$(touch pwned)`touch pwned`';touch pwned;'\"\ntouch pwned\n${{ github.token }}\n::error::x"


@pytest.mark.parametrize(
    "names",
    [
        ["context", "tags", "push", "load", "outputs", "platforms", "labels", "annotations"],
        ["cache-from", "secrets", "secret-files", "builder", "mode", "release", "engine"],
        *(["recipe"], ["tags"], ["outputs"], ["cache-to"], ["upgrade-from"], ["plan-against"]),
    ],
    ids="-".join,
)
def test_what_is_written_into_an_input_is_never_run(
    names: list[str], machine: Machine, workspace: Path
) -> None:
    job = machine()
    done = job.run(**{"outputs": "type=oci,dest=shop.tar"} | dict.fromkeys(names, EVIL))
    assert "x" not in [item.message for item in done.annotations]
    assert "Build" in done.steps
    assert not list(job.workspace.rglob("pwned"))
    assert not list(job.temp.rglob("pwned"))


def test_a_label_may_have_any_sign_and_any_number_of_lines(
    machine: Machine, workspace: Path, host: str
) -> None:
    text = "$(touch pwned) `id` \"quoted\" 'single' ; & | < > \\ %0A ::error::x"
    labels = f'one={text}\n"two=first\nsecond ""quoted"""\nthree=a,b=c'
    good(machine().run(tags=f"{host}/shop:1", push="true", labels=labels))
    config = json.loads(run("crane", "config", f"{host}/shop:1"))["config"]
    assert config["Labels"]["one"] == text
    assert config["Labels"]["two"] == 'first\nsecond "quoted"'
    assert config["Labels"]["three"] == "a,b=c"
    assert not (workspace / "pwned").exists()


def test_a_word_that_looks_like_an_option_is_none(machine: Machine, workspace: Path) -> None:
    done = machine().run(outputs="type=oci,dest=shop.tar", recipe="--push")
    assert "--push" in failed(done)
    assert "no such" in failed(done)
    assert not (workspace / "shop.tar").exists()


def test_a_folder_named_imagesmith_in_the_checkout_is_not_ours(
    machine: Machine, workspace: Path
) -> None:
    (workspace / "imagesmith").mkdir()
    (workspace / "imagesmith/__init__.py").write_text("raise SystemExit('not this one')\n")
    good(machine().run(outputs="type=oci,dest=shop.tar"))


def test_a_secret_is_in_no_argument_and_in_no_file_afterwards(
    machine: Machine, workspace: Path
) -> None:
    job = machine()
    done = job.run(secrets="token=s3cret-of-the-test\nnothing", outputs="type=oci,dest=shop.tar")
    assert failed(done) == "secrets: there is a line that is no KEY=VALUE"
    done = job.run(secrets='"token=s3cret-of-the-test\nline"', outputs="type=oci,dest=shop.tar")
    assert "s3cret" not in good(done).log
    found = [path for path in job.temp.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in found if b"s3cret-of-the-test" in path.read_bytes()]
    assert shutil.which("id") and "id=token,src=" in done.log
