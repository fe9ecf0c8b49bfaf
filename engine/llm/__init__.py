"""Asking a language model, or the offline catalogue through the same client."""
