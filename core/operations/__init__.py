"""What the person on call does: check the progress, and handle dead letters."""
