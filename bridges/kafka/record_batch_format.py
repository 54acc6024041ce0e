"""Encodes and decodes whole record batches in Kafka's message format 2.

kafka-python does this record by record, with an object and a future for each, which is most of the
cost of a record (measured by `python -m benchmarks.kafka_client`). The layout is documented at
https://kafka.apache.org/documentation/#recordbatch; varints are zigzag encoded.
"""

from collections.abc import Iterator, Sequence

from order_sagas.bridges.records.record import Headers, Outgoing, Record


def _varint(number: int) -> bytes:
    rest = number << 1  # zigzag; lengths and counts here are never negative
    encoded = bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)


_NULL = b"\x01"
"""The length -1, zigzag encoded."""
_VARINTS = [_varint(number) for number in range(8192)]
"""The encoded lengths from 0 to 8191."""


def _length(number: int) -> bytes:
    return _VARINTS[number] if number < 8192 else _varint(number)


def encode_records(records: Sequence[Outgoing]) -> bytes:
    """Encode the part of a batch after its header; all records have the first timestamp."""
    parts: list[bytes] = []
    add = parts.append
    for place, record in enumerate(records):
        headers = _encode_headers(record.headers) if record.headers else b"\x00"
        # Attributes and timestamp difference are 0.
        key, value = _nullable(record.key), _nullable(record.value)
        body = b"\x00\x00%b%b%b%b" % (_length(place), key, value, headers)
        add(_length(len(body)))
        add(body)
    return b"".join(parts)


def _nullable(content: bytes | None) -> bytes:
    return _NULL if content is None else _length(len(content)) + content


def _encode_headers(headers: Headers) -> bytes:
    parts = [_length(len(headers))]
    for name, value in headers:
        encoded = name.encode()
        parts += [_length(len(encoded)), encoded, _length(len(value)), value]
    return b"".join(parts)


def read_records(
    body: bytes,
    count: int,
    *,
    topic: str,
    partition: int,
    base_offset: int,
    timestamp: int,
    one_timestamp: bool = False,
) -> Iterator[Record]:
    """Decode the uncompressed part of a batch after its header.

    `timestamp` is that of the first record, in milliseconds; with `one_timestamp` it is that of all
    records, set by the broker.

    A header name that is not UTF-8 is decoded with its bytes escaped, so that such a record can
    become a dead letter. Raises IndexError or ValueError if `body` is truncated.
    """
    position = 0
    for _ in range(count):
        length, position = _read_varint(body, position)
        end = position + length
        position += 1  # attributes: none are defined
        later, position = _read_varint(body, position)
        if one_timestamp:
            later = 0
        place, position = _read_varint(body, position)
        key, position = _read_nullable(body, position)
        value, position = _read_nullable(body, position)
        headers: Headers = ()
        if body[position]:
            headers, position = _read_headers(body, position)
        else:
            position += 1
        if position != end or end > len(body):
            raise ValueError(f"Record {place} of a batch in {topic} has a wrong length.")
        yield Record(
            topic, partition, base_offset + place, key, value, headers, (timestamp + later) / 1000
        )


def _read_nullable(body: bytes, position: int) -> tuple[bytes | None, int]:
    length, position = _read_varint(body, position)
    if length < 0:
        return None, position
    end = position + length
    return body[position:end], end


def _read_varint(body: bytes, position: int) -> tuple[int, int]:
    byte = body[position]
    position += 1
    if byte < 0x80:
        return byte >> 1 ^ -(byte & 1), position
    number = byte & 0x7F
    shift = 7
    while byte > 0x7F:
        byte = body[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    return number >> 1 ^ -(number & 1), position


def _read_headers(body: bytes, position: int) -> tuple[Headers, int]:
    count, position = _read_varint(body, position)
    headers = []
    for _ in range(count):
        length, position = _read_varint(body, position)
        name = body[position : position + length].decode(errors="backslashreplace")
        position += length
        value, position = _read_nullable(body, position)
        headers.append((name, value or b""))
    return tuple(headers), position
