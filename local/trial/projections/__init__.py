"""Projection modules of the trial app."""
