"""The OCI image format: what an image says of itself, and how it lies on a disk.

Knows nothing of releases. Section names are those of the OCI Image Format Specification 1.1.
"""
