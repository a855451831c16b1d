"""Spans and metrics through OpenTelemetry, and where they are sent."""
