"""The command `revoke`: make all tokens that a user has now invalid."""

import click

from cli.database import open_database
from cli.help import example
from cli.print_json import JSON, print_facts
from notifier.core.text_output import iso_time
from notifier.settings import Settings


@click.command(epilog=example("notifier revoke user-7"))
@click.argument("user")
@JSON
def revoke(user: str, as_json: bool) -> None:
    """Refuse every token that USER has now.

    Sockets that use one are closed at once, on every gateway. Tokens that are made later are valid.
    """
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
    facts = {"user_id": user, "before": at, "told": told}
    print_facts(facts, as_json, f"revoked: tokens issued before {iso_time(at)}")
