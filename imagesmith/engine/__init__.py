"""Engines deliver a finished image to where the user wants it."""
