"""The generator by hand.

python -m bench.big make DIR [--modules N]    write the sources
python -m bench.big change|bump|release DIR
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from bench.big.project import LARGE, Project


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.big", description=__doc__)
    parser.add_argument("verb", choices=["make", "change", "bump", "release"])
    parser.add_argument("dir", type=Path)
    parser.add_argument("--modules", type=int, default=LARGE.modules)
    asked = parser.parse_args()
    project = Project(asked.dir)
    match asked.verb:
        case "make":
            shape = replace(LARGE, modules=asked.modules)
            done: object = Project.make(asked.dir, shape).root
        case "change":
            done = project.change()
        case "bump":
            done = project.bump()
        case _:
            done = project.release()
    sys.stdout.write(f"{done}\n")


if __name__ == "__main__":
    main()
