"""The test harness of demo, chaos and benchmarks: a cluster, a client, graphs, and verification."""
