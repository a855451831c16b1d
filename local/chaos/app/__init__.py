"""The application of chaos: the follow graph with two planted faults."""
