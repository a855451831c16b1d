"""Events that cannot be projected, as values and as stored documents."""
