"""Images to classes, or to masks."""
