"""The load probe: held connections and a schedule of requests, in a process of its own.

`Probe` is the parent's side, in `process`: it starts `python -m imagesmith.compare.probe`, tells it
a `spec`, and reads the `result`. In that process, `load` holds the connections (`held`, over
`lines`, `pages` or `websocket`) and sends the requests of the `schedule`. Only the modules of that
process import aiohttp.
"""

from imagesmith.compare.probe.process import Probe

__all__ = ["Probe"]
