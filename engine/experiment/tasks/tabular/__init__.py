"""Rows of a table, with gaps, to a class."""
