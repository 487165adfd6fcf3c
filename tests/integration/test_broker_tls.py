"""amqps: certificates and host names are checked, and the loop sees all bytes in TLS's buffer."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from notifier.broker import Message
from notifier.core.errors import BrokerUnavailable
from notifier.settings import Settings
from tests.harness.certificate import self_signed
from tests.integration.broker_listener import listening, message, publishing


class Terminator:
    """Speaks TLS on its own port and plain TCP to the broker behind it."""

    def __init__(self, url: str, folder: Path, names: str) -> None:
        self.target = (urlsplit(url).hostname, urlsplit(url).port)
        made = self_signed(folder, names)
        self.certificate = made.path
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(made.path, made.key)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._server.accept()
                with suppress(ssl.SSLError, ConnectionError):
                    near = self._context.wrap_socket(raw, server_side=True)
                    far = socket.create_connection(self.target)
                    self._sockets += [near, far]
                    for a, b in ((near, far), (far, near)):
                        threading.Thread(target=self._pump, args=(a, b), daemon=True).start()
                raw.close()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def _settings(terminator: Terminator, plain_url: str, folder: Path) -> Settings:
    vhost = urlsplit(plain_url).path
    url = f"amqps://guest:guest@localhost:{terminator.port}{vhost}"
    return Settings(_env_file=None, broker_url=url, var_dir=folder)


@pytest.fixture
def terminator(rabbit_url: str, tmp_path: Path) -> Iterator[Terminator]:
    terminator = Terminator(rabbit_url, tmp_path, "IP:127.0.0.1,DNS:localhost")
    yield terminator
    terminator.close()


def test_a_trusted_broker_is_used_and_no_message_waits_for_another(
    terminator: Terminator, rabbit_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(terminator.certificate))
    settings = _settings(terminator, rabbit_url, tmp_path)
    with listening(settings) as listener, publishing(settings) as publisher:
        listener.subscribe("ada")
        for seq in range(1, 51):  # each arrives although no further byte follows
            publisher.publish([message("ada", seq)])
            listener.hears(seq)
        publisher.publish([Message("ada", seq, b"x" * 20_000) for seq in range(51, 251)])
        assert listener.hears(250) == [("ada", seq) for seq in range(1, 251)]
        assert listener.subscriber.stats.connections == 1


def test_an_unknown_certificate_is_refused(terminator: Terminator, rabbit_url: str, tmp_path: Path) -> None:
    with publishing(_settings(terminator, rabbit_url, tmp_path)) as publisher:
        with pytest.raises(BrokerUnavailable) as caught:
            publisher.publish([message("ada")])
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


def test_a_certificate_for_another_host_is_refused(
    rabbit_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminator = Terminator(rabbit_url, tmp_path, "DNS:other.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(terminator.certificate))
    try:
        with publishing(_settings(terminator, rabbit_url, tmp_path)) as publisher:
            with pytest.raises(BrokerUnavailable) as caught:
                publisher.publish([message("ada")])
            assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    finally:
        terminator.close()
