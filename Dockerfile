# syntax=docker/dockerfile:1

FROM python:3.13-slim AS build
RUN python -m venv /opt/order-sagas
WORKDIR /src
COPY . .
RUN /opt/order-sagas/bin/pip install --no-cache-dir '.[postgres,http,metrics,otel]'

FROM python:3.13-slim
RUN useradd --system --create-home --home-dir /var/lib/order-sagas order-sagas
COPY --from=build /opt/order-sagas /opt/order-sagas
ENV PATH=/opt/order-sagas/bin:$PATH PYTHONUNBUFFERED=1
USER order-sagas
# Workers write their logs here, and their database if there is no database server.
WORKDIR /var/lib/order-sagas
# A volume, so that the rest of the file system can be read-only.
VOLUME /var/lib/order-sagas
# On SIGTERM, a worker finishes its batch and releases its shards.
STOPSIGNAL SIGTERM
ENTRYPOINT ["order-sagas"]
CMD ["start"]
