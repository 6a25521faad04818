"""A generator of releases that are as large as a grown Phoenix application's.

No framework and no network: path dependencies and modules that it writes itself, but compiled and
assembled by a real `mix release`. The same shape gives the same sources, byte for byte.
"""
