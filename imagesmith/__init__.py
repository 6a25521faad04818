"""imagesmith: one BEAM release, two lives: an immutable image or an upgradable container."""

__version__ = "0.1.0"
