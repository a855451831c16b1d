"""The demo: it projects a follow graph, and compares every user with the graph."""
