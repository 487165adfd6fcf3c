"""The command `revoke`: make all tokens that a user has now invalid."""

import click

from cli.database import open_database
from notifier.core.text_output import iso_time
from notifier.settings import Settings


@click.command()
@click.argument("user")
def revoke(user: str) -> None:
    """Refuse every token that was issued to USER before now, and close the sockets that use one."""
    from notifier.broker.publisher import Publisher
    from usecases.revoke import revoke as revoke_tokens

    settings = Settings.load()
    publisher = Publisher(settings)
    try:
        with open_database() as database:
            at, told = revoke_tokens(database, publisher, user)
    finally:
        publisher.close()
    if not told:
        click.echo(
            f"the broker does not answer: effective within {settings.revocation_interval:g} s", err=True
        )
    click.echo(f"revoked: tokens issued before {iso_time(at)}")
