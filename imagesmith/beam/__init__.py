"""The BEAM's own formats, so that a release is read and changed without running an Erlang.

Builds happen on machines that have no Erlang, or another one than the release carries; and what a
layer is keyed by must not depend on either. So everything here is a function from bytes to values,
or back, and knows no disk, clock or network.
"""
