"""`python -m imagesmith.cli.action`, the step of action.yml."""

import sys

from imagesmith.cli.action.run import main

if __name__ == "__main__":
    sys.exit(main())
