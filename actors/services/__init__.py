"""The services that take part in sagas: orders, payments, stock, notifications."""
