"""Projections that are not pure, each in its own way, and one that is."""
