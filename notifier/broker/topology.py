"""Names and addresses: the exchange, the queues, the encoding of user ids, the broker's address.

Everything that publisher, subscriber and Celery must agree on is defined here, once. Nothing here
connects to anything.
"""

# mypy: disable-error-code="no-untyped-call"
# (kombu and py-amqp carry no types)

import hashlib
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombu.connection import Connection

from notifier.broker.message import Message
from notifier.broker_url import FILE_BROKER
from notifier.settings import Settings

EXCHANGE = "notifications"
EXCHANGE_TYPE = "direct"  # without wildcards, which a user id could contain; binds 1.7x as fast as topic
TASK_QUEUE = "notifier"
REACH_QUEUE = "notifier-reach"  # wake-ups for channels; their worker is a process of its own
FILE_TRANSPORT = "notifier.broker.file_transport:Transport"

CONNECT_TIMEOUT = 1.5  # seconds, for each broker of the list
HEARTBEAT = 10.0  # seconds
POLL_INTERVAL = 0.02  # seconds between two checks of a folder
_FILE_URL = f"{FILE_BROKER}localhost"  # kombu warns when a url has no host
# How the kernel notices a dead peer; py-amqp adds TCP_USER_TIMEOUT = 1 s for unacked bytes.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}

#: The address of messages about revocations; no user id contains a control character.
REVOCATIONS = "\x00revocations"
#: Says only "look": whose tokens are revoked is in SQL.
LOOK_AT_REVOCATIONS = Message(REVOCATIONS, 1, b"{}")


def gateways_own(gateway_id: str) -> str:
    """Return the address by which a gateway checks whether events reach it; see REVOCATIONS."""
    return f"\x00gateway {gateway_id}"


def routing_key(user_id: str) -> str:
    """Return the routing key of a user: the hex SHA-256 of the id's UTF-8 bytes, 64 characters.

    Of fixed length and alphabet, so that no id can be a wildcard, a path, or longer than AMQP's
    short string of 255 bytes (AMQP 0-9-1, section 4.2.5.3).
    """
    return hashlib.sha256(user_id.encode()).hexdigest()


def new_gateway_id() -> str:
    """Return a new name for a gateway process: 16 hex digits, safe in queue and file names."""
    return secrets.token_hex(8)


def answers(settings: Settings) -> bool:
    """Return whether a broker of the list can be reached; takes 1.5 seconds for each that does not answer."""
    try:
        with connect(settings) as connection:
            connect_once(connection, settings)
    except Exception:  # noqa: BLE001  kombu's transports raise errors of their own
        return False
    return True


def queue_name(user_id: str, gateway_id: str) -> str:
    """Return the name of the queue that carries one user's events to one gateway."""
    return f"user.{routing_key(user_id)}.{gateway_id}"


def gateway_queue(gateway_id: str) -> str:
    """Return a new name for the queue that carries all users' events to one gateway's connection."""
    return f"gateway.{gateway_id}.{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """The broker's addresses, and how to reach them.

    Attributes:
        urls: AMQP brokers to try in turn (a failover list); empty for the file broker.
        folder: the file broker's folder, absolute.
        connect_timeout: seconds, for each url.
        heartbeat: seconds between AMQP heartbeats on connections that are read all the time.
    """

    urls: tuple[str, ...]
    folder: Path
    connect_timeout: float = CONNECT_TIMEOUT
    heartbeat: float = HEARTBEAT

    @property
    def is_file(self) -> bool:
        """Whether the broker is a folder."""
        return not self.urls

    @property
    def tasks_folder(self) -> Path:
        """The folder that holds Celery's messages (kombu's layout)."""
        return self.folder / "tasks"

    @property
    def events_folder(self) -> Path:
        """The folder that holds the gateways' inboxes and bindings."""
        return self.folder / "events"


def connection_options(settings: Settings) -> BrokerOptions:
    """Return the broker of these settings."""
    folder = (settings.var_dir / "broker").absolute()
    if settings.file_broker:
        return BrokerOptions((), folder)
    urls = (url.strip() for url in settings.broker_url.split(";"))
    return BrokerOptions(tuple(url for url in urls if url), folder)


def brokers(settings: Settings) -> int:
    """Return the number of brokers in the list; a folder counts as one."""
    return max(1, len(connection_options(settings).urls))


def socket_settings() -> dict[int, int]:
    """Return the TCP options by which a vanished broker is noticed, as far as the system has them."""
    names = {getattr(socket, name, None): value for name, value in _KEEPALIVE.items()}
    return {name: value for name, value in names.items() if isinstance(name, int)}


def tls(url: str) -> bool | dict[str, object]:
    """Return kombu's `ssl` argument: for `amqps`, the certificate and its host name are checked.

    `server_hostname: None` makes kombu put in the host of the url; without it py-amqp checks no
    name at all (kombu.transport.pyamqp, "SSL option server_hostname"). A private CA is given to
    OpenSSL by its own SSL_CERT_FILE.
    """
    return {"server_hostname": None} if url.startswith("amqps:") else False


def _transport_options(options: BrokerOptions) -> dict[str, object]:
    if options.is_file:
        tasks = str(options.tasks_folder)
        return {
            "data_folder_in": tasks,
            "data_folder_out": tasks,
            "control_folder": str(options.folder / "control"),
            "polling_interval": POLL_INTERVAL,
        }
    return {
        "socket_settings": socket_settings(),
        "client_properties": {"connection_name": "notifier"},
        # How often kombu tries before a task's publisher gives up: each url once, without a pause.
        # Its default is without end.
        "max_retries": len(options.urls) - 1,
        "interval_start": 0,
        "interval_step": 0,
        "interval_max": 0,
    }


def _celery_url(options: BrokerOptions) -> str:
    # kombu warns of a URL without a host, though a folder has none.
    return f"{FILE_BROKER}localhost//" if options.is_file else ";".join(options.urls)


def configure_celery(app: Any, settings: Settings) -> None:
    """Let a Celery application use the same broker, whatever the environment sets for other applications.

    Celery prefers four variables of the environment to its configuration (celery/app/utils.py, `Settings`).
    They are meant for the application's own Celery; here only the configuration counts. A fifth,
    CELERY_LOADER, is read when the application is made: give it `loader="app"`.
    """
    # A source of configuration of its own: else Celery reads the module that CELERY_CONFIG_MODULE names.
    app.config_from_object(celery_config(settings))
    url = _celery_url(connection_options(settings))
    app.conf.broker_read_url = url
    app.conf.broker_write_url = url
    _ = app.conf.broker_url  # the first access replaces a placeholder by the settings
    object.__setattr__(app.conf, "__class__", _without_environment(type(app.conf)))


def _without_environment(kind: type) -> type:
    """Return Celery's class of settings without the properties that read the environment."""
    names = ("broker_url", "broker_read_url", "broker_write_url", "result_backend")
    return type(kind.__name__, (kind,), {name: property(_configured(name)) for name in names})


def _configured(name: str) -> Callable[[Any], Any]:
    return lambda conf: conf.get(name)


def celery_config(settings: Settings) -> dict[str, object]:
    """Return Celery's settings for the same broker; a dead one takes milliseconds."""
    options = connection_options(settings)
    config: dict[str, object] = {
        "broker_url": _FILE_URL if options.is_file else ";".join(options.urls),
        "broker_transport_options": _transport_options(options),
        "broker_connection_timeout": options.connect_timeout,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # All who declare the queue must declare it alike, the waker too, or RabbitMQ refuses.
        "task_default_queue_type": settings.task_queue_type,
        "task_create_missing_queue_type": settings.task_queue_type,
    }
    if options.is_file:
        # Remote control would leave a queue of files for each worker that ever ran.
        return config | {"broker_transport": FILE_TRANSPORT, "worker_enable_remote_control": False}
    return config | {"broker_heartbeat": options.heartbeat, "broker_use_ssl": tls(options.urls[0])}


def connect_once(connection: Connection, settings: Settings) -> None:
    """Connect to the first broker of the list that answers: each is tried once, a single one twice.

    Raises the error of kombu's transport when none does.
    """
    connection.ensure_connection(max_retries=max(1, brokers(settings) - 1), interval_start=0)


def connect(settings: Settings) -> Connection:
    """Return a kombu connection to the broker that is not connected yet (for tools and checks)."""
    options = connection_options(settings)
    if options.is_file:
        return Connection(_FILE_URL, transport=FILE_TRANSPORT, transport_options=_transport_options(options))
    return Connection(
        ";".join(options.urls),
        connect_timeout=options.connect_timeout,
        heartbeat=options.heartbeat,
        ssl=tls(options.urls[0]),
        transport_options=_transport_options(options),
    )
