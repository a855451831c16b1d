"""For the person on call: `python -m admin`."""
