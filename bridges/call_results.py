"""What became of a call to an external system: the message for its service, and what went wrong."""

import traceback

import msgspec

from actors.delivery import CallId, ExternalCall
from actors.errors import error_text
from actors.messages import CALLBACK, EXCEPTION, CallOutcome, Message


class CallDone(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call that is over. `message` goes to the service; None if it could not be made.

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
        """The same as the call's."""
        return self.service, self.operation, self.key


def perform(call: ExternalCall) -> CallDone:
    """Make the call, and the message that its result or its exception becomes."""
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
    """The result of a call that raised."""
    try:
        message = call.then(None, error)
    except Exception as fault:
        return _callback_failed(call, fault)
    return _done(call, message, EXCEPTION, error_text(error), error)


def _callback_failed(call: ExternalCall, error: Exception) -> CallDone:
    """`then` raised, on a result or on an exception: to the service the outcome is unknown."""
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
