"""The app that chaos is let loose on: the example as it was first deployed, with two faults."""
