"""The members of the system's consumer groups."""

from kafka import KafkaAdminClient

from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.errors import map_errors


def members_of(connection: KafkaConnection, group: str) -> int:
    """The number of workers that are running, with any roles."""
    admin = connection.make(KafkaAdminClient)
    try:
        with map_errors():
            names = [each["group_id"] for each in admin.list_groups()]
            ours = [n for n in names if n == group or n.startswith(f"{group}.")]
            found = admin.describe_groups(ours) if ours else {}
            return sum(len(each["members"]) for each in found.values())
    finally:
        admin.close()
