"""The projection modules of the application with a fan-out of any size."""
