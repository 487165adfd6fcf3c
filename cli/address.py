"""Check the address to listen on before anything starts."""

import errno
import socket

from notifier.core.errors import SettingError
from notifier.settings import PREFIX, Settings


def check_address(settings: Settings) -> None:
    """Bind the settings' address and release it. Raises SettingError, which names the setting."""
    host, port = settings.host, settings.port
    try:
        [(family, kind, proto, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does
            probe.bind(address)
            probe.listen(1)
    except (OSError, UnicodeError) as exc:
        raise SettingError(_line(host, port, exc)) from None


def _line(host: str, port: int, exc: Exception) -> str:
    number = exc.errno if isinstance(exc, OSError) else None
    if number == errno.EADDRINUSE:
        return f"{PREFIX}PORT: {port} is in use at {host}; stop what listens there, or choose another port"
    if number == errno.EACCES:
        return f"{PREFIX}PORT: {port} at {host} needs more rights than this user has; choose one from 1024 on"
    why = getattr(exc, "strerror", None) or str(exc)
    return f"{PREFIX}HOST: {host} cannot be listened on: {why}"
