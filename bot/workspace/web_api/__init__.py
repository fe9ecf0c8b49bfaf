"""The Web API: one module a family of methods, each with a table `METHODS` from a method's name to its function."""
