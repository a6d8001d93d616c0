"""Losses that lightly lacks."""
