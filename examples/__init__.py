"""Short examples of sagas, run by the tests."""
