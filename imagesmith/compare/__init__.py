"""Both lives of the same change, measured side by side, and which of them fits.

`workload` says what is asked of the application, `probe` asks it, from a process of its own;
`scenario` names the ways of a change, `ways` goes them with real containers behind a balancer;
`run` is what was seen on one way, `figures` reads it, `verdict` judges, `report` tells.
"""
