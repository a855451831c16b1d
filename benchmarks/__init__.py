"""What is measured: each figure comes from a command, as a ratio inside one run."""
