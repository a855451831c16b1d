"""An application of one module: a fan-out of any size."""
