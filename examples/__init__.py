"""Sagas of your own, as short as they can be; the tests run them."""
