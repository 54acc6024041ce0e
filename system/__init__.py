"""Runs the system: Thespian base, settings, wiring, command line, telemetry, trace, harness."""
