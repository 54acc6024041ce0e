"""The `traceparent` of a request: the trace that its order's saga becomes a part of.

W3C Trace Context, https://www.w3.org/TR/trace-context. It is only handed on: whether there are
traces is for the workers to know. `tracestate` is not kept.
"""

import re

from starlette.requests import Request

from bridges.observer import TRACEPARENT

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_SAMPLED = 1


def traceparent(request: Request) -> str:
    """As version 00 has it; empty if there is none, if there are several, or if it is malformed."""
    given = request.headers.getlist(TRACEPARENT)
    found = _FORM.fullmatch(given[0].strip(" \t")) if len(given) == 1 else None
    if found is None:
        return ""
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return ""
    # Of a later version, what version 00 knows of it, as the recommendation has it.
    return f"00-{trace}-{span}-{int(flags, 16) & _SAMPLED:02x}"
