"""Text to score."""
