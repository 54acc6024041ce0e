"""Authentication, authorisation and rate limiting of requests."""

from contextvars import ContextVar
from typing import Any

from starlette.datastructures import Headers

from order_sagas.bridges.http.config import HttpOptions, NoTokensError
from order_sagas.bridges.http.problems import Problem, retry_later
from order_sagas.bridges.http.server.client_network import network_of
from order_sagas.bridges.http.server.rate_limit import RateLimiter
from order_sagas.bridges.http.server.tokens import Caller, Role, Tokens

LOCAL = Caller("local", Role.OPERATE)
"""The caller of every request if no tokens are configured."""
ANONYMOUS = Caller("", Role.NONE)
"""The caller of a request without a token."""
current_caller: ContextVar[Caller] = ContextVar("current_caller", default=ANONYMOUS)
"""The caller of the request that the current task handles."""

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
PROXY_HEADERS = ("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-ray")
"""Headers that a reverse proxy adds, beside `X-Forwarded-...`.

Without tokens, requests through a proxy are refused.
"""


class Access:
    """Identifies callers, and limits their request rate.

    Raises NoTokensError if the address is reachable from other machines and no tokens are set.
    """

    def __init__(self, options: HttpOptions) -> None:
        self._tokens = Tokens(options.tokens) if options.tokens else None
        if self._tokens is None and not options.is_loopback:
            raise NoTokensError(
                f"{options.host} can be reached from other machines, and no tokens are set: "
                "`http token NAME` makes one for the file that --http-tokens names; "
                "without tokens, serve on 127.0.0.1"
            )
        self._host = options.host
        self._limiter = RateLimiter(options.rate)

    @property
    def is_open(self) -> bool:
        """True if requests need no token."""
        return self._tokens is None

    def identify(self, scope: Any) -> Caller:
        """Return the caller of a request; ANONYMOUS if it has no token.

        Raises Problem: 401 (unknown token), 403 (request of another site) or 429 (rate limit).
        """
        headers = Headers(scope=scope)
        address = network_of((scope.get("client") or ("",))[0])
        if self._tokens is None:
            self._check_local(scope, headers)
            self._check_site(headers)
            self._slow_down(f"@{address}")
            return LOCAL
        caller = self._caller_of(headers)
        self._slow_down(caller.name if caller else f"@{address}")
        if caller is None and "authorization" in headers:
            raise unknown_token()
        return caller or ANONYMOUS

    def _slow_down(self, name: str) -> None:
        if seconds := self._limiter.take(name):
            raise retry_later(429, "too many requests", seconds)

    def identify_if_any(self, scope: Any) -> Caller:
        """Return the caller of a request that needs no token; ANONYMOUS without a valid one.

        Raises Problem 403 if no tokens are set and the request is not made to this machine. A link
        on another site may lead here.
        """
        headers = Headers(scope=scope)
        if self._tokens is None:
            self._check_local(scope, headers)
            return LOCAL
        return self._caller_of(headers) or ANONYMOUS

    def is_known(self, caller: Caller) -> bool:
        """Return whether the caller's token still exists with the same role, if it needs one."""
        return self._tokens is None or caller == ANONYMOUS or self._tokens.is_known(caller)

    def _caller_of(self, headers: Headers) -> Caller | None:
        assert self._tokens
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return self._tokens.caller_of(token.strip()) if scheme.lower() == "bearer" else None

    def _check_local(self, scope: Any, headers: Headers) -> None:
        """Without tokens, reject foreign Host headers and requests through a proxy."""
        if scope["http_version"] == "1.0":  # nginx's usual version, with a Host of this machine
            raise Problem(
                403, "HTTP/1.0 is not served without tokens, as proxies use it; set --http-tokens"
            )
        host = headers.get("host", "localhost")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name.lower() not in (*_LOCAL_NAMES, self._host.lower()):
            raise Problem(403, "only requests to localhost are served, as no tokens are set")
        through = next((name for name in headers if _is_of_proxy(name)), None)
        if through:
            raise Problem(
                403, f"the request came through a proxy ({through}); behind one, set --http-tokens"
            )

    def _check_site(self, headers: Headers) -> None:
        """Without tokens, reject cross-site browser requests."""
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Problem(403, "cross-site requests are not allowed")
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{headers.get('host', '')}".lower():
            raise Problem(403, "requests of another origin are not allowed")


def _is_of_proxy(header: str) -> bool:
    return header in PROXY_HEADERS or header.startswith("x-forwarded-")


def permit(caller: Caller, role: Role) -> None:
    """Raise Problem (401 or 403) unless the caller has one of the permissions in `role`."""
    if not role or caller.role & role:
        return
    if caller.role is Role.NONE:
        raise _unauthorized("a bearer token is needed", "")
    may = "read" if caller.role & Role.READ else "submit orders"
    raise Problem(403, f"the token of {caller.name} may only {may}")


def unknown_token() -> Problem:
    """Return the problem 401 for a token that is not in the file, or not any more."""
    return _unauthorized("the token is not known", ', error="invalid_token"')


def _unauthorized(detail: str, more: str) -> Problem:
    challenge = f'Bearer realm="order-sagas"{more}'
    return Problem(401, detail, headers={"WWW-Authenticate": challenge})
