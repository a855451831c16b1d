"""Projection modules: each file here becomes an Azure Function with leases of its own."""
