"""Appends events to a stream, reads a stream and folds it."""
