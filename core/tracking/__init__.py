"""The progress of each projection module."""
