"""`order-sagas signal`: send a saga the answer of a person or another system."""

import click

from order_sagas.bridges.intake.message_files import read_json
from order_sagas.bridges.intake.message_schema import InvalidMessageError, read_message
from order_sagas.bridges.operations import NoSuchMessageError
from order_sagas.bridges.operations.signals import SignalOperations
from order_sagas.system.cli import complete
from order_sagas.system.cli.operator_options import operator_options
from order_sagas.system.cli.output import LOG_SETTINGS, echo, open_log, say_if_idle
from order_sagas.system.cli.suggest import suggestion
from order_sagas.system.saga_registry import registry_of
from order_sagas.system.settings import Settings, settings_options


@click.command("signal")
@click.argument("saga_id", shell_complete=complete.saga_ids)
@click.argument("message", shell_complete=complete.signals)
@click.option("--data", default="{}", help="The fields of the message, as a JSON object.")
@operator_options
@settings_options(*LOG_SETTINGS)
def signal_command(
    saga_id: str, message: str, data: str, by: str, why: str, settings: Settings
) -> None:
    """Send the saga SAGA_ID the signal MESSAGE that it waits for.

    \N{BACKSPACE}
    For example, of an app with a saga that waits for TRIP_APPROVED:
      order-sagas signal book-trip/T-1 TRIP_APPROVED --data '{"byWhom": "ada"}'

    MESSAGE is a status or the name of its class; `order-sagas messages` lists them. The signal is a
    record on the topic `saga-signals`. A saga that does not wait for it any more ignores it.
    """
    operations = SignalOperations(settings.database, registry_of(settings))
    try:
        kind = operations.message_of(saga_id, message)
    except NoSuchMessageError as error:
        raise click.UsageError(str(error)) from None
    (given,) = read_json(data.encode("utf-8", "surrogateescape"), one=True)
    try:
        if given.problem:
            raise InvalidMessageError(given.problem)
        if not isinstance(given.fields, dict):
            raise InvalidMessageError("expected a JSON object")
        order_id = saga_id.partition("/")[2]
        signal = read_message(kind, {"orderId": order_id, **given.fields})
        if signal.order_id != order_id:
            raise InvalidMessageError(f"it has to be {order_id}, or to be left out", "orderId")
    except InvalidMessageError as error:
        raise click.UsageError(f"--data: {error}") from None
    with open_log(settings) as log:
        operations.send(saga_id, signal, log, by, why)
    echo(f"Sent. Result: {suggestion('trace', order_id)}")
    say_if_idle(log)
