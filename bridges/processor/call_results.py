"""Results of external calls: the outcome message for the service, and the error, if any."""

import traceback

import msgspec

from order_sagas.actors.errors import error_text
from order_sagas.actors.messages import CALLBACK, EXCEPTION, CallOutcome, Message
from order_sagas.actors.protocol import CallId, ExternalCall


class CallDone(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A finished external call. `message` is for its service; None if it could not be created.

    `failure` is empty or one of the kinds of `CallOutcome`, or CALLBACK where the function that
    makes the message raised; `error` is one line, `details` a traceback where there is one.
    """

    service: str
    operation: str
    key: str
    order_id: str
    message: Message | None
    failure: str = ""
    error: str = ""
    details: str = ""

    @property
    def id(self) -> CallId:
        """The id of the call."""
        return self.service, self.operation, self.key


def perform(call: ExternalCall) -> CallDone:
    """Make the call, and create the message for its result or its exception. Never raises."""
    try:
        result = call.make()
    except Exception as error:
        return failed(call, error)
    try:
        message = call.then(result, None)
    except Exception as error:
        return _callback_failed(call, error)
    if isinstance(message, CallOutcome):
        return _done(call, message, message.failure, message.error)
    return _done(call, message)


def failed(call: ExternalCall, error: BaseException) -> CallDone:
    """Return the result of a call that raised `error`."""
    try:
        message = call.then(None, error)
    except Exception as fault:
        return _callback_failed(call, fault)
    return _done(call, message, EXCEPTION, error_text(error), error)


def _callback_failed(call: ExternalCall, error: Exception) -> CallDone:
    """Return the result of a call whose `then` raised: its outcome is unknown to the service."""
    try:
        message = call.then(None, error)
    except Exception:
        message = None
    return _done(call, message, CALLBACK, error_text(error), error)


def _done(
    call: ExternalCall,
    message: Message | None,
    failure: str = "",
    error: str = "",
    raised: BaseException | None = None,
) -> CallDone:
    return CallDone(
        service=call.service,
        operation=call.operation,
        key=call.key,
        order_id=call.order_id,
        message=message,
        failure=failure,
        error=error,
        details="".join(traceback.format_exception(raised)) if raised else "",
    )
