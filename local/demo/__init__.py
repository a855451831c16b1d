"""The demo: a real follow graph through the real command path, then every user checked."""
