"""Every command: its help, a wrong argument, a database and a broker that are down."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from cli.main import main
from tests.harness import processes
from tests.harness.backends import SECRET, embedded
from tests.harness.waiting import free_port

ID = str(uuid.UUID(int=7))
SERVERS = {"up", "web", "worker", "beat"}
NO_DATABASE = {"token", "tail"}

#: A right call of each command, as words.
CALLS = {
    "up": "up", "web": "web", "worker": "worker", "beat": "beat", "migrate": "migrate",
    "send": "send u --title t --message m", "badge": "badge u messages 1", "cancel": f"cancel {ID}",
    "tail": "tail u", "inbox": "inbox u", "explain": f"explain {ID}", "report": "report daily",
    "verify": "verify", "recipient show": "recipient show u", "recipient set": "recipient set u --name Ann",
    "recipient export": "recipient export u", "recipient erase": "recipient erase u",
    "token": "token u", "revoke": "revoke u", "dead list": "dead list", "dead replay": f"dead replay {ID}",
    "dead drop": f"dead drop {ID}", "rejected list": "rejected list", "rejected show": f"rejected show {ID}",
    "rejected drop": "rejected drop --all", "purge": "purge --older-than 90d", "restored": "restored",
    "grant-reporting": "grant-reporting bi",
}  # fmt: skip
#: Of which the ID, or the user, of the calls above is not there.
NOT_THERE = {"cancel", "explain", "dead replay", "dead drop", "rejected show", "recipient export"}


def commands(group: click.Group = main, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield each command with its name, those of groups too."""
    for name, command in group.commands.items():
        path = f"{above}{name}"
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} ")
        else:
            yield path, command


EVERY = dict(commands())


def call(words: str, env: dict[str, str]) -> Result:
    return CliRunner(env=env).invoke(main, words.split(), prog_name="notifier")


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    env = embedded(tmp_path_factory.mktemp("commands") / "var").env
    assert call("migrate", env).exit_code == 0
    return env


def test_the_calls_below_are_of_every_command() -> None:
    assert set(CALLS) == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_the_help_is_sentences_and_an_example(name: str) -> None:
    done = call(f"{name} --help", {})
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 110
    command = EVERY[name]
    paragraphs = (command.help or "").split("\n\n")
    assert all(text.rstrip().endswith(".") for text in paragraphs), paragraphs
    assert "..." not in command.get_short_help_str(57), "its first sentence fits into the list"
    options = [one for one in command.params if isinstance(one, click.Option) and one.name != "help"]
    assert [
        one.name for one in options if not re.fullmatch(r"[A-Z1].*(\.|  \[default: .*\])", one.help or "")
    ] == []
    examples = [line.strip() for line in (command.epilog or "").splitlines() if "notifier " in line]
    assert examples
    assert all(f"notifier {name}" in line for line in examples)


def test_the_list_of_commands_names_each_once_and_cuts_nothing() -> None:
    said = call("--help", {}).stdout
    assert "..." not in said.partition("Run:")[2]
    for name in main.commands:
        assert len(re.findall(rf"^  {name} +[A-Z].*\.$", said, re.MULTILINE)) == 1, name


@pytest.mark.parametrize("name", ["", *EVERY])
def test_a_wrong_argument_is_one_line_and_status_2(name: str) -> None:
    done = call(f"{name} --no-such-option", {})
    assert done.exit_code == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "--no-such-option" in done.stderr
    assert "--help" in done.stderr


@pytest.mark.parametrize("name", sorted(set(CALLS) - SERVERS - NO_DATABASE))
def test_a_database_that_is_down_is_one_line_and_status_1(name: str, tmp_path: Path) -> None:
    env = {
        "NOTIFIER_DATABASE_URL": f"postgresql+psycopg://127.0.0.1:{free_port()}/x",
        "NOTIFIER_VAR_DIR": str(tmp_path), "NOTIFIER_SECRET": SECRET, "NOTIFIER_API_KEYS": "k" * 40,
    }  # fmt: skip
    done = call(CALLS[name], env)
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "the database does not answer" in done.stderr or "cannot migrate" in done.stderr


@pytest.mark.parametrize("name", sorted(set(CALLS) - SERVERS - {"tail", "grant-reporting"}))
def test_a_broker_that_is_down_stops_no_command(name: str, migrated: dict[str, str]) -> None:
    done = call(CALLS[name], {**migrated, "NOTIFIER_BROKER_URL": f"amqp://127.0.0.1:{free_port()}//"})
    assert done.exit_code == (1 if name in NOT_THERE else 0), done.output
    assert len(done.stderr.splitlines()) <= 1, done.stderr
    assert "Traceback" not in done.output


def test_json_is_an_object_with_iso_times(migrated: dict[str, str]) -> None:
    sent = call("send u --title t --message m", migrated).stdout.strip()
    facts = {
        words: json.loads(call(f"{words} --json", migrated).stdout)
        for words in (
            f"cancel {sent}",
            "verify",
            "revoke u",
            "purge --older-than 90d",
            "restored",
            "recipient erase u",
        )
    }
    assert facts["recipient erase u"]["erased"]["notifications"] >= 1
    assert facts[f"cancel {sent}"] == {"status": "canceled", "recipients": 1, "reached": 0, "in_flight": 0}
    assert facts["verify"]["violations"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", facts["revoke u"]["before"])


def test_tail_refuses_an_address_of_something_else(migrated: dict[str, str]) -> None:
    done = call("tail u --url http://127.0.0.1:1/ws", migrated)
    assert (done.exit_code, done.stderr) == (2, "url: must begin with ws:// or wss://\n")


def test_the_shell_completes_commands_and_options(migrated: dict[str, str]) -> None:
    def completed(words: str, at: int) -> list[str]:
        env = {
            **migrated, "_NOTIFIER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at),
        }  # fmt: skip
        done = processes.run("notifier", env=env)
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("notifier re", 1) == ["recipient", "rejected", "report", "restored", "revoke"]
    assert completed("notifier report d", 2) == ["daily", "devices"]
