"""Runs code that nobody has reviewed."""
