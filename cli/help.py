"""Extend click's help: examples at the end, and the commands in groups."""

from collections.abc import Mapping, Sequence

import click


def example(*lines: str) -> str:
    """Return examples as the end of a command's help; which click does not wrap."""
    return "\b\n" + "\n".join(
        ["Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)]
    )


def write_commands(
    group: click.Group, ctx: click.Context, formatter: click.HelpFormatter, parts: Mapping[str, Sequence[str]]
) -> None:
    """Write the list of commands in parts, each with its title; what is in no part comes last."""
    named = {name for names in parts.values() for name in names}
    others = [name for name in group.list_commands(ctx) if name not in named]
    width = max(map(len, group.commands))
    for title, names in (*parts.items(), ("Other", others)):
        found = [(name, group.commands[name]) for name in names if name in group.commands]
        if found:
            with formatter.section(title):
                rows = [(name.ljust(width), one.get_short_help_str(formatter.width)) for name, one in found]
                formatter.write_dl(rows)
