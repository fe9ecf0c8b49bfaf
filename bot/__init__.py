"""Slack in, Slack out."""
