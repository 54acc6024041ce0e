"""Telemetry of workers: metrics for Prometheus, traces for OpenTelemetry."""
