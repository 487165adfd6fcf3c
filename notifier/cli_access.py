"""The command `revoke`: a user's tokens are good no more, from now on."""

import click

from notifier.settings import Settings


@click.command()
@click.argument("user")
def revoke(user: str) -> None:
    """Refuse every token that was issued to USER before now, and close the sockets that use one."""
    from models.engine import Database, make_engine
    from models.store import revocations
    from models.types import now
    from notifier.broker.publisher import Publisher
    from notifier.broker.topology import LOOK_AT_REVOCATIONS
    from notifier.errors import BrokerUnavailable
    from notifier.events import check_user_id

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
