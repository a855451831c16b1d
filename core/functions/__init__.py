"""The edge to Azure Functions: triggers and HTTP functions."""
