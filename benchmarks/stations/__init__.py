"""An application with a fan-out of any size."""
