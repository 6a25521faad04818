"""Every error that imagesmith raises on purpose.

    ImagesmithError            the work failed                     (exit code 1)
    ├── UsageError             the user asked wrongly              (exit code 2)
    │   └── RecipeError        the recipe has mistakes, all listed (exit code 2)
    ├── TermError              not an Erlang term (text or external format)
    ├── ReleaseError           the release is broken or incomplete
    │   └── ModuleError        a .beam file that the VM could not load
    ├── BaseError              the base cannot carry this release
    ├── OutputError            the image could not be written where it was wanted
    ├── CacheError             an archive of the layer cache is damaged, or none
    ├── RegistryError          a registry refused, failed or lied
    ├── UpgradeError           from this release to that one there is no hot upgrade
    │   └── BundleError        an upgrade bundle is damaged, or none
    ├── CompareError           a comparison could not be measured
    └── DockerError            a Docker did not do what it was asked

A message is one sentence that names the thing and the place; `hint` is the way out. The command
line prints both and exits with `exit_code`; nothing else in imagesmith prints or exits.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BaseError",
    "BundleError",
    "CacheError",
    "CompareError",
    "DockerError",
    "ImagesmithError",
    "ModuleError",
    "OutputError",
    "RecipeError",
    "RegistryError",
    "ReleaseError",
    "TermError",
    "UpgradeError",
    "UsageError",
]


class ImagesmithError(Exception):
    """The work failed: `message` says what and where, `hint` what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ImagesmithError):
    """The command line, a path or a setting asks for something that cannot be."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe with mistakes: each one is a line `FILE:LINE:COLUMN: KEY: what is wrong`."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class TermError(ImagesmithError):
    """Bytes or text that are not an Erlang term."""


class ReleaseError(ImagesmithError):
    """A release that is broken, incomplete, or holds what an image cannot."""


class ModuleError(ReleaseError):
    """A `.beam` file that no VM could load."""


class BaseError(ImagesmithError):
    """A base, or a sysroot for one, that cannot carry the release."""


class OutputError(ImagesmithError):
    """The image could not be written or delivered."""


class CacheError(ImagesmithError):
    """An archive of the layer cache that is damaged, or is none."""


class CompareError(ImagesmithError):
    """A comparison that could not be measured: an application out of reach, a probe that died."""


class DockerError(ImagesmithError):
    """A Docker engine refused, failed or went away; carries its own words."""


class RegistryError(ImagesmithError):
    """A registry refused, failed, went away or lied; `status` is its HTTP answer, if any."""

    def __init__(self, message: str, *, hint: str | None = None, status: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class UpgradeError(ImagesmithError):
    """A hot upgrade that cannot be made, or must not be."""


class BundleError(UpgradeError):
    """An upgrade bundle that is damaged, or is none."""
