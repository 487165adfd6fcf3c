"""Check the addresses to listen on before anything starts."""

import errno
import socket

from notifier.core.errors import SettingError
from notifier.settings import PREFIX, Settings


def check_address(settings: Settings) -> None:
    """Bind the settings' address and release it. Raises SettingError, which names the setting."""
    check(settings.host, settings.port)


def check_metrics_ports(settings: Settings, count: int) -> None:
    """Bind the metrics ports of `count` workers and release them. Raises SettingError."""
    first = settings.worker_metrics_port
    if first is None:
        return
    if first + count - 1 > 65_535 or settings.port in range(first, first + count):
        raise SettingError(f"{PREFIX}WORKER_METRICS_PORT: {count} ports from {first} on are needed, "
                           f"other than {settings.port} and up to 65535")  # fmt: skip
    for port in range(first, first + count):
        check(settings.host, port, "WORKER_METRICS_PORT")


def check(host: str, port: int, setting: str = "PORT") -> None:
    """Bind an address and release it. Raises SettingError, which names `setting` or HOST."""
    # gunicorn decides the family by the text too (gunicorn/sock.py), so `localhost` is 127.0.0.1.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        [(family, kind, proto, _, address), *_] = socket.getaddrinfo(
            host, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            probe.bind(address)
            probe.listen(1)
    except (OSError, UnicodeError) as exc:
        raise SettingError(_line(host, port, setting, exc)) from None


def _line(host: str, port: int, setting: str, exc: Exception) -> str:
    number = exc.errno if isinstance(exc, OSError) else None
    if number == errno.EADDRINUSE:
        return (
            f"{PREFIX}{setting}: {port} is in use at {host}; stop what listens there, or choose another port"
        )
    if number == errno.EACCES:
        name = f"{PREFIX}{setting}"
        return f"{name}: {port} at {host} needs more rights than this user has; choose one from 1024 on"
    why = getattr(exc, "strerror", None) or str(exc)
    return f"{PREFIX}HOST: {host} cannot be listened on: {why}"
