"""What demo, chaos and benchmarks play on: processes, a client, graphs, and the comparison."""
