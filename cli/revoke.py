"""The command `revoke`: a user's tokens are good no more, from now on."""

import click

from notifier.settings import Settings


@click.command()
@click.argument("user")
def revoke(user: str) -> None:
    """Refuse every token that was issued to USER before now, and close the sockets that use one."""
    from models.store import revocations
    from notifier.broker.publisher import Publisher
    from notifier.broker.topology import LOOK_AT_REVOCATIONS
    from notifier.core.errors import BrokerUnavailable
    from notifier.core.events import check_user_id
    from notifier.outbox.engine import Database, make_engine
    from notifier.outbox.types import now

    settings, known, at = Settings.load(), check_user_id(user), now()
    database = Database(make_engine(settings.database_url))
    database.run(lambda connection: revocations.revoke(connection, known, now=at))
    publisher = Publisher(settings)
    try:
        publisher.publish([LOOK_AT_REVOCATIONS])
    except BrokerUnavailable as exc:
        click.echo(f"{exc.detail}: it holds within {settings.revocation_interval:g} s", err=True)
    finally:
        publisher.close()
    click.echo(f"revoked: tokens issued before {at.isoformat(timespec='milliseconds')}")
