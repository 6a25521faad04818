"""From a release to layers: which files go together, what identifies them, how they are written.

`split` groups the release's files, `key` names each group by what the BEAM will execute, `tar` and
`gzip` write it, and `build` puts the three together.

`store` says where written layers are kept; `cache` keeps them for every later build, as entries in
`entries` and blobs. `contents`, `verify`, `prune` and `parcel` look after a cache, which `running`
tells of the builds on it.
"""
