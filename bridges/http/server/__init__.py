"""What every request passes: connection limits, the middleware, tokens, and the rate limit.

The modules here know nothing of orders and sagas.
"""
