"""Decisions as values, computed by pure functions: what to write, how to pack it, when to go on."""
