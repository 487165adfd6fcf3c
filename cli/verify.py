"""The command `verify`: the audit of the database."""

import sys

import click

from cli.database import open_database
from cli.help import example
from cli.print_json import JSON, counted, json_line


@click.command(epilog=example("notifier verify", "notifier verify --json"))
@JSON
def verify(as_json: bool) -> None:
    """Check that every accepted notification is accounted for.

    It audits the database in one consistent snapshot, and may run at any time. The exit status is 0 when
    all is well, and 1 when rows do not fit, which are printed.
    """
    from models.store import audit

    with open_database() as database, database.read() as connection:
        totals = audit.totals(connection)
        if not as_json:
            click.echo(counted(totals))
            wrong = 0
            for violation in audit.violations(connection):
                wrong += 1
                click.echo(f"{violation.row}  ({violation.check})")
            click.echo(f"{wrong} rows do not fit" if wrong else "all accounted for")
        else:
            violations = [{"row": one.row, "check": one.check} for one in audit.violations(connection)]
            click.echo(json_line({**totals, "violations": violations}))
            wrong = len(violations)
    sys.exit(1 if wrong else 0)
