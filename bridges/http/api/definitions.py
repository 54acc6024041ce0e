"""`/api/v1/definitions`: the sagas of the app, with figures for each version and step."""

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.shape import decode_shape
from order_sagas.bridges.http.api.definition_figures import (
    DefinitionsView,
    Version,
    figures_of,
    in_flight_by_version,
    newest_sagas,
)
from order_sagas.bridges.http.api.definition_views import (
    DefinitionView,
    definition_view,
    stored_definition_view,
)
from order_sagas.bridges.http.api.endpoint import Endpoint, read_endpoint
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.storage.schema import saga_versions


class DefinitionRoutes:
    """The endpoint of definitions and their figures."""

    def __init__(self, reader: ReadModel, registry: Registry) -> None:
        self._reader = reader
        self._registry = registry

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            read_endpoint(
                "/api/v1/definitions",
                self._list,
                "Definitions of sagas, with counts, failures and durations by step",
                DefinitionsView,
            )
        ]

    async def _list(self, request: Request) -> Response:
        return answer(await in_thread(self._definitions))

    def _definitions(self) -> DefinitionsView:
        with self._reader.moment() as db:
            in_flight, newest = in_flight_by_version(db), newest_sagas(db)
            known = self._known(db, {*in_flight.by_status})
        figures = [figures_of(known[key], in_flight, newest.get(key, ())) for key in sorted(known)]
        return DefinitionsView(
            definitions=figures, sampled=sum(len(each) for each in newest.values())
        )

    def _known(self, db: sa.Connection, used: set[Version]) -> dict[Version, DefinitionView]:
        """The registered versions, and those that are in flight according to the database."""
        newest = self._registry.newest
        found = {
            (saga.name, saga.version): definition_view(saga, newest=saga is newest[saga.name])
            for saga in self._registry
        }
        for name, version in used - found.keys():
            query = sa.select(saga_versions.c.shape).where(
                saga_versions.c.saga == name, saga_versions.c.version == version
            )
            shape = db.execute(query).scalar()
            if shape is not None:
                found[name, version] = stored_definition_view(name, version, decode_shape(shape))
        return found
