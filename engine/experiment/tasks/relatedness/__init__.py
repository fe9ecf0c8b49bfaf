"""Two texts to how related they are."""
