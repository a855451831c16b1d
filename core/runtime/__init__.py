"""The engine at work: what happens to a batch, a command, a dead letter."""
