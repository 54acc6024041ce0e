"""Running it: the Thespian base, settings, wiring, command line, trace, harness."""
