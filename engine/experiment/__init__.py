"""From an approved plan to a judged result: tasks, plans, runs in the sandbox, and what may be said about them."""
