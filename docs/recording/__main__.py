"""`python -m docs.recording FILE.svg`."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.recording.scene import TITLE, play
from docs.recording.svg import render

Path(sys.argv[1]).write_text(render(play(), TITLE))
