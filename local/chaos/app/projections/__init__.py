"""The projection modules of the application of chaos."""
