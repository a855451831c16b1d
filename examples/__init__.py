"""Applications, each in a folder that the Functions host can run."""
