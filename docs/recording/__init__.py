"""The recording in README.md: the real commands, run in a terminal, as an animated SVG.

`make recording` makes it anew: scene.py says what is typed, terminal.py types and listens, svg.py
draws.
"""
