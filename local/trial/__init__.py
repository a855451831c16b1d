"""An app to try the engine on: the example with two faults, and a fan-out of any size."""
