"""Where the bottom layers of an image come from, and whether they can carry the release."""
