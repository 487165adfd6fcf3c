"""The command `verify`: the audit of the database."""

import sys

import click

from cli.database import open_database


@click.command()
def verify() -> None:
    """Check that every accepted notification is accounted for (an audit of the database)."""
    from models.store import audit

    with open_database() as database, database.read() as connection:
        totals = audit.totals(connection)
        click.echo(" ".join(f"{name}={count}" for name, count in totals.items()))
        wrong = 0
        for violation in audit.violations(connection):
            wrong += 1
            click.echo(f"{violation.row}  ({violation.check})")
    click.echo(f"{wrong} rows do not fit" if wrong else "all accounted for")
    sys.exit(1 if wrong else 0)
