"""`RELEASES`, the database of OTP's release_handler, as it is before the first upgrade.

mix writes none, and then release_handler makes up a release without applications, from which
nothing can be rolled back (OTP: release_handler.erl, init/1). relx's is written anew, so that the
applications' folders are named as the image has them.
"""

from __future__ import annotations

from imagesmith.beam.release import Release
from imagesmith.beam.term import Atom, Term
from imagesmith.beam.terms import format_term

__all__ = ["releases_file"]


def releases_file(release: Release) -> bytes:
    """The file: `[{release, Name, Vsn, ErtsVsn, [{App, Vsn, Dir}], permanent}]`.

    Folders are relative to the release's root, as relx writes them, so that they hold for the
    image and for the volume. OTP's applications of a release without ERTS have no folder here.
    """
    libraries: list[Term] = [
        (Atom(app.name), app.version, f"./{app.folder}") for app in release.applications
    ]
    term: Term = [
        (
            Atom("release"),
            release.name,
            release.version,
            release.erts_version,
            libraries,
            Atom("permanent"),
        )
    ]
    return f"%% coding: utf-8\n{format_term(term)}.\n".encode()
