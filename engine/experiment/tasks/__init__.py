"""Templates of tasks, one folder each: prototype code that runs, its data, metric, and baseline."""
