"""Orders over HTTP: an API, its metrics, and the actor that stores what comes in.

A process of its own serves it, beside the workers or far from them: it writes to the log as every
submitter does, and reads the database as everybody may.
"""

from order_sagas.bridges.http.config import Dependencies, HttpError, HttpOptions
from order_sagas.bridges.http.server import HttpServer

__all__ = ["Dependencies", "HttpError", "HttpOptions", "HttpServer"]
