"""The HTTP server: the API, its metrics, the dashboard, and the actor that stores new orders.

It runs in a process of its own, on the machine of the workers or on another. It appends records to
the log as every submitter does, and reads the database.
"""

from order_sagas.bridges.http.config import Dependencies, HttpError, HttpOptions
from order_sagas.bridges.http.http_server import HttpServer

__all__ = ["Dependencies", "HttpError", "HttpOptions", "HttpServer"]
