"""A team's own model and data as a suite."""
