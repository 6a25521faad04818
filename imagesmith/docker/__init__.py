"""The one place that talks to a Docker."""
