"""The application that the demo and the benchmarks run; `projections/` started as a copy of it."""
