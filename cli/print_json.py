"""Print what a command found: a line for people, JSON for scripts. Times in it are ISO 8601 in UTC."""

import json
from collections.abc import Mapping
from typing import Any

import click

from notifier.core.text_output import shown, terminal_json

#: The option `--json` of a command that prints a line for people.
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for scripts.")


def print_facts(facts: Mapping[str, Any], as_json: bool, line: str) -> None:
    """Print the facts as JSON, or the line that says the same."""
    click.echo(json_line(facts) if as_json else line)


def json_line(facts: Mapping[str, Any]) -> str:
    """Return a JSON object in one line, safe for a terminal."""
    return terminal_json(json.dumps(facts, default=shown, ensure_ascii=False))


def counted(counts: Mapping[str, int]) -> str:
    """Return counts as `name=1 other=2`."""
    return " ".join(f"{name}={count}" for name, count in counts.items())
