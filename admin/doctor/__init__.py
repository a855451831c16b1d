"""A look at a deployment before its triggers start failing."""
