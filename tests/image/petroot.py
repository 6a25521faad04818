"""A pet's image unpacked on this machine, so that its entrypoint can be run without a container.

What is changed of the scripts is two paths, where the image lies and where mounts are listed; and
nothing is flushed to the disk, which takes a second each time where the disk is busy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from imagesmith.beam.release import read_release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import format_term
from imagesmith.beam.tree import Folder
from imagesmith.image.cattle import plan_cattle
from imagesmith.image.pet import plan_pet
from imagesmith.layer.member import FileMember, LinkMember
from imagesmith.recipe.parse import parse
from tests.trees import APPLICATIONS, App, make_release

__all__ = ["NEXT", "SHELLS", "PetRoot"]

SHELLS = {
    "dash": ["dash"],
    "bash": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
}
ERTS = "13.1.5"
NEXT = "0.2.0"
SCRIPT = """\
#!/bin/sh
echo "$(cd "$(dirname "$0")/.." && pwd) ${RELEASE_VSN:-of the image} ${0##*/} $*"
"""
COUNTED = ("chmod", "cp", "ln", "mkdir", "mv", "rm", "rmdir")
"""The commands that change a volume."""
KILLER = """\
#!/bin/sh
count=$(($(cat "$COUNT") + 1))
echo $count >"$COUNT"
if [ $count -eq "$KILL_AT" ]; then kill -9 0; fi
PATH=${PATH#*:} exec "${0##*/}" "$@"
"""


@dataclass(frozen=True, slots=True)
class PetRoot:
    """`image` is its root folder, `volume` the one that is mounted, `shell` runs the scripts."""

    folder: Path
    shell: str = "dash"

    @property
    def image(self) -> Path:
        return self.folder / "image"

    @property
    def app(self) -> Path:
        return self.image / "app"

    @property
    def volume(self) -> Path:
        return self.folder / "volume"

    @property
    def marks(self) -> Path:
        return self.volume / ".imagesmith"

    def make_image(self, note: str = "") -> PetRoot:
        """Unpack the image of a small release; another `note` makes another release of it."""
        shutil.rmtree(self.image, ignore_errors=True)
        shutil.rmtree(self.folder / "rel", ignore_errors=True)
        release = make_release(self.folder / "rel")
        for name in ("shop", "migrate"):
            _write(release / "bin" / name, SCRIPT, executable=True)
        _write(release / "bin/notes.txt", "beside the scripts")
        _write(release / f"erts-{ERTS}/bin/erlexec", "#!/bin/sh\n", executable=True)
        _write(release / "NOTES", note)
        _write(release / ".env", "HIDDEN=yes\n")
        recipe = parse(b"version: 1\nrelease: {path: .}\n", "recipe.yml", release)
        read = read_release(Folder(release))
        cattle = plan_cattle(read, recipe)
        for plan in [*cattle, plan_pet(read, recipe, cattle)]:
            for member in plan.members:
                path = self.image / plan.prefix / member.path
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(member, FileMember):
                    path.write_bytes(member.content.read())
                    path.chmod(0o755 if member.executable else 0o644)
                elif isinstance(member, LinkMember):
                    path.symlink_to(member.target)
        for script in (self.app / "pet/start", self.app / "pet/volume", *self.app.glob("bin/*")):
            text = script.read_text().replace("/app", str(self.app))
            text = text.replace('sync "$@" 2>/dev/null || sync', ":")
            script.write_text(text.replace("/proc/self/mountinfo", str(self.folder / "mounts")))
        facts = self.app / "pet/release"
        facts.write_text(facts.read_text().replace("'/upgrades'", f"'{self.volume}'"))
        self.volume.mkdir(exist_ok=True)
        _write(
            self.folder / "mounts",
            f"22 1 8:1 / / rw - ext4 /dev/a rw\n23 22 8:2 / {self.volume} rw - ext4 /dev/b rw\n",
        )
        return self

    def start(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The entrypoint; by default with the command `bin/shop start`."""
        return self._run(
            "pet/start", *(command or (f"{self.app}/bin/shop", "start")), **environment
        )

    def wrapper(
        self, name: str, /, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """A script of the image's bin/, as `docker exec` calls it."""
        return self._run(f"bin/{name}", *arguments, **environment)

    def serves(self) -> str:
        """Start it; returns the version that ran from the volume, or `of the image`."""
        done = self.start()
        assert done.returncode == 0, done.stderr
        root, _, rest = done.stdout.partition(" ")
        version = rest.removesuffix(" shop start\n")
        assert root == str(self.app if version == "of the image" else self.volume)
        return version

    def start_killed(self, at: int) -> bool:
        """Start it, and kill it before the command of this number that changes a file."""
        shims = self.folder / "shims"
        for name in COUNTED:
            _write(shims / name, KILLER, executable=True)
        _write(shims / "count", "0")
        path = f"{shims}:{os.environ['PATH']}"
        done = self._run(
            *("pet/start", f"{self.app}/bin/shop", "start"),
            PATH=path,
            COUNT=f"{shims}/count",
            KILL_AT=str(at),
        )
        assert done.returncode in (0, -9), done.stderr
        return done.returncode == -9

    def _run(
        self, script: str, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*SHELLS[self.shell], str(self.app / script), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.app,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    # --- what an upgrade leaves there, by hand ---

    def bring(self, version: str = NEXT) -> None:
        """The files of an upgrade of `shop`, which nothing makes current."""
        release = self.folder / f"rel-{version}"
        applications = [
            app if app.name != "shop" else App("shop", version, app.modules) for app in APPLICATIONS
        ]
        make_release(release, version=version, applications=applications)
        shutil.copytree(release / f"lib/shop-{version}", self.volume / f"lib/shop-{version}")
        own = self.volume / f"releases/{version}"
        shutil.copytree(release / f"releases/{version}", own)
        for name in ("shop", "migrate"):
            _write(own / "bin" / name, SCRIPT, executable=True)
        _write(own / "digest", "1" * 64)
        _write(
            own / "relup", f'{{"{version}", [patha, "/lib/../releases/{version}/consolidated"]}}.'
        )

    def install(self, version: str = NEXT) -> None:
        """Bring it and have OTP's RELEASES say that it runs."""
        self.bring(version)
        _write(self.volume / "releases/RELEASES", self.releases(version, "tmp_current"))

    def confirm(self, version: str = NEXT) -> None:
        """Bring it and make it permanent."""
        self.bring(version)
        for place in (f"releases/{version}/RELEASES", "releases/RELEASES"):
            _write(self.volume / place, self.releases(version, "permanent"))
        _write(self.volume / "releases/start_erl.data", f"{ERTS} {version}\n")
        _write(self.marks / "permanent", f"{version}\n")

    @staticmethod
    def releases(version: str, status: str) -> str:
        """RELEASES with one version in a status, as OTP writes it."""
        versions = {app.name: app.version for app in APPLICATIONS} | {"shop": version}
        libraries: list[Term] = [
            (Atom(name), of, f"./lib/{name}-{of}") for name, of in versions.items()
        ]
        release: Term = (Atom("release"), "shop", version, ERTS, libraries, Atom(status))
        return f"{format_term([release])}.\n"

    def listing(self) -> dict[str, str]:
        """Every path of the volume with what is there, the history aside."""
        found = {}
        for path in sorted(self.volume.rglob("*")):
            name = str(path.relative_to(self.volume))
            if path.is_symlink():
                found[name] = f"-> {path.readlink()}"
            elif path.is_file() and path.name != "history":
                found[name] = path.read_bytes().hex()
        return found


def _write(path: Path, text: str, *, executable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755 if executable else 0o644)
