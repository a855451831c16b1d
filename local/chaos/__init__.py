"""Chaos: load, faults, kills, restarts and splits together, then every user checked."""
