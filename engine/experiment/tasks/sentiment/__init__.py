"""Text to a positive or negative opinion."""
