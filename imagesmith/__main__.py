"""`python -m imagesmith`."""

from imagesmith.cli import main

main()
