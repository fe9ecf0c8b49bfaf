"""Values become Block Kit. Pure functions: no client, no clock, no input or output."""
