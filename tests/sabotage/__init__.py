"""Faults that are put into copies of the code, to see that the tests notice them."""
