"""Names, addresses and the encoding of user ids."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from notifier.broker import celery_config, connect, new_gateway_id, queue_name, routing_key
from notifier.broker.topology import connection_options
from notifier.settings import Settings


def settings(url: str = "", var_dir: str = "var") -> Settings:
    return Settings(_env_file=None, broker_url=url, var_dir=Path(var_dir))


@pytest.mark.parametrize("user_id", ["a/b", "*", "#", "..", "user:7", "日本", "😀" * 128, "", "A" * 128])
def test_a_routing_key_is_64_hex_digits_whatever_the_id(user_id: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", routing_key(user_id))


def test_ids_that_look_alike_have_keys_of_their_own() -> None:
    ids = ["1", "u.1", "01", "A", "a", "é", "e\u0301", "a/b", "a%2Fb"]
    assert len({routing_key(i) for i in ids}) == len(ids)
    assert routing_key("ada") == routing_key("ada")


def test_a_queue_name_fits_a_short_string_and_a_file_name() -> None:
    name = queue_name("😀" * 128, new_gateway_id())
    assert len(name.encode()) < 128
    assert re.fullmatch(r"user\.[0-9a-f]{64}\.[0-9a-f]{16}", name)
    assert new_gateway_id() != new_gateway_id()


def test_the_file_broker_is_a_folder_with_one_place_for_tasks_and_one_for_events() -> None:
    options = connection_options(settings(var_dir="some/var"))
    assert options.is_file
    assert options.folder == Path.cwd() / "some/var/broker"
    assert options.tasks_folder != options.events_folder


def test_several_urls_are_a_failover_list() -> None:
    options = connection_options(settings("amqp://one//;amqps://two//"))
    assert options.urls == ("amqp://one//", "amqps://two//")
    config = celery_config(settings("amqp://one//;amqp://two//"))
    assert config["broker_url"] == "amqp://one//;amqp://two//"
    assert config["broker_transport_options"]["max_retries"] == 1  # type: ignore[index]


def test_celery_and_kombu_get_the_same_file_broker() -> None:
    config = celery_config(settings())
    with connect(settings()) as connection:
        assert connection.transport_options == config["broker_transport_options"]
        assert connection.transport_cls == config["broker_transport"]
        assert not connection.connected


def test_tls_checks_the_hosts_name() -> None:
    assert celery_config(settings("amqps://broker.example//"))["broker_use_ssl"] == {"server_hostname": None}
    assert celery_config(settings("amqp://broker.example//"))["broker_use_ssl"] is False


def test_importing_the_words_imports_no_broker() -> None:
    code = "import sys, notifier, notifier.core.events; assert not {'kombu', 'amqp'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
