"""Hot upgrades: what leads from one release to the next, packed as a bundle."""
