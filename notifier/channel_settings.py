"""The settings of the channels (docs/settings.md#channels), a part of `notifier.settings.Settings`."""

import re
from dataclasses import dataclass
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

SCHEMES = {"smtp": 25, "smtps": 465}
TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?")
#: The push services of today's browsers.
PUSH_HOSTS = (
    "fcm.googleapis.com",
    ".push.services.mozilla.com",
    ".push.apple.com",
    ".notify.windows.com",
)


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """An SMTP server.

    Attributes:
        host, port: its address.
        tls: whether TLS begins at once (`smtps://`).
        user, password: for AUTH; None: no AUTH.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None

    @classmethod
    def from_url(cls, url: str) -> "SmtpServer":
        """Return what `smtp://user:password@host:port` says. Raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError("must be like smtp://user:password@host:587 or smtps://…")
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        port = parts.port or SCHEMES[parts.scheme]
        return cls(parts.hostname, port, parts.scheme == "smtps", user, password)

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class ChannelSettings(BaseSettings):
    """What an operator can set for channels. Durations are seconds."""

    smtp_url: SecretStr | None = None
    mail_from: str | None = None
    public_url: str | None = None
    templates: Path | None = None
    digest_at: str = "09:00"
    unknown: Literal["leave", "retry"] = "leave"
    vapid_key: SecretStr | None = None
    vapid_subject: str | None = None
    push_hosts: Annotated[tuple[str, ...], NoDecode] = PUSH_HOSTS
    reach_concurrency: int = Field(default=16, ge=1, le=256)

    @field_validator("smtp_url")
    @classmethod
    def _server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            SmtpServer.from_url(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _mailbox(cls, value: str | None) -> str | None:
        if value is not None:
            local, _, domain = parseaddr(value)[1].rpartition("@")
            if not local or not domain or not value.isprintable():
                raise ValueError("must be an address, or like Shop <no-reply@shop.example>")
        return value

    @field_validator("public_url")
    @classmethod
    def _site(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise ValueError("must be like https://shop.example or https://shop.example/notify")
        return value.rstrip("/")

    @field_validator("templates")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value} is not a folder")
        return value

    @field_validator("digest_at")
    @classmethod
    def _time_of_day(cls, value: str) -> str:
        if not TIME_OF_DAY.fullmatch(value):
            raise ValueError("must be a time like 09:00")
        return value

    @field_validator("vapid_subject")
    @classmethod
    def _subject(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("mailto:", "https://")):
            raise ValueError("must begin with mailto: or https://")
        return value

    @field_validator("push_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("push_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for host in value:
            if not HOST.fullmatch(host):
                raise ValueError(f"{host!r} is not a host; write push.example, .push.example or host:port")
        return value
