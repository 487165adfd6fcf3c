"""Run the commands with `python -m cli`."""

from cli.main import main

main(prog_name="notifier")
