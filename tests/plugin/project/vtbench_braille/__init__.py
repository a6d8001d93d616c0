"""Braille under a tactile sensor."""
