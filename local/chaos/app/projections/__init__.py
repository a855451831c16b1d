"""The faulty example's projection modules."""
