"""Record headers as one column: most records have none."""

import msgspec

from order_sagas.bridges.records.record import Headers

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[tuple[str, bytes], ...])


def pack(headers: Headers) -> bytes | None:
    """Headers as JSON with base64 values; None for none."""
    return _encoder.encode(headers) if headers else None


def unpack(packed: bytes | None) -> Headers:
    """What `pack` packed."""
    return _decoder.decode(packed) if packed else ()
