"""Record headers as the value of one column, which is NULL for most records."""

import msgspec

from order_sagas.bridges.records.record import Headers

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[tuple[str, bytes], ...])


def pack(headers: Headers) -> bytes | None:
    """Return headers as JSON with base64 values; None if there are none."""
    return _encoder.encode(headers) if headers else None


def unpack(packed: bytes | None) -> Headers:
    """Return the headers of a value made by `pack`."""
    return _decoder.decode(packed) if packed else ()
