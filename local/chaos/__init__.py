"""Chaos experiments: load with faults, killed processes and splits, then verification."""
