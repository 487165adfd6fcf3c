"""The settings: environment variables with the prefix NOTIFIER_, and a .env file.

Read once by each process's composition root (`Settings.load`) and handed down. A wrong one stops
the start with one line that names it. `docs/settings.md` lists all of them.
"""

import ipaddress
import re
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from notifier import broker_url as broker_urls
from notifier.broker_url import FILE_BROKER
from notifier.channel_settings import ChannelSettings, SmtpServer
from notifier.core.errors import SettingError
from notifier.core.keys import KeyRing
from notifier.core.recipients import check_timezone
from notifier.database_url import fault
from notifier.kept_secret import read_or_make

PREFIX = "NOTIFIER_"
SECRET_BYTES = 32
PATH = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9._~-]+)+")  # a prefix whose parts are not only dots
Seconds = Annotated[float, Field(gt=0, le=86_400)]
CommaList = Annotated[tuple[str, ...], NoDecode]


def _as_browsers_write(origin: str) -> str:
    """Return an origin with its host in ASCII; an IDN is sent as `xn--…` (RFC 6454, section 6.2).

    Raises ValueError when the host cannot be one.
    """
    scheme, _, authority = origin.partition("://")
    return origin if authority.isascii() else f"{scheme}://{authority.encode('idna').decode()}"


class Settings(ChannelSettings):
    """The settings of the service. Durations are seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    var_dir: Path = Path("var")
    database_url: str = ""
    broker_url: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=1, le=65_535)
    secret: SecretStr | None = None
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    allowed_origins: CommaList = ()
    demo: bool | None = None
    client_url: str = "/"

    old_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    jwks: str | None = None
    jwks_interval: Seconds = 300.0
    jwks_cooldown: Seconds = 10.0
    token_leeway: float = Field(default=0.0, ge=0, le=300)
    token_issuer: str | None = None
    token_audience: CommaList = ()
    revocation_interval: Seconds = 2.0

    events: CommaList = ()
    definitions: Path | None = None
    log_level: str = "INFO"
    log_format: Literal["console", "json"] = "console"
    web_processes: int = Field(default=1, ge=1, le=256)
    worker_connections: int = Field(default=10_000, ge=1, le=1_000_000)

    hello_timeout: Seconds = 5.0
    ping_interval: Seconds = 25.0
    slow_timeout: Seconds = 30.0
    request_timeout: Seconds = 30.0
    heads_interval: Seconds = 30.0
    linger: Seconds = 10.0
    ack_interval: Seconds = 0.25
    restart_grace: Seconds = 10.0
    restart_spread: Seconds = 5.0
    frames_per_second: int = Field(default=50, ge=1, le=100_000)
    sockets_per_user: int = Field(default=100, ge=1, le=1_000_000)
    sockets_per_address: int = Field(default=10_000, ge=1, le=1_000_000)
    sockets_unauthenticated: int = Field(default=4_000, ge=1, le=1_000_000)
    posts_per_minute: int = Field(default=60_000, ge=1, le=100_000_000)
    calls_per_minute: int = Field(default=3_000, ge=1, le=100_000_000)
    wrong_credentials_per_minute: int = Field(default=600, ge=1, le=100_000_000)
    proxy_hops: int = Field(default=0, ge=0, le=16)
    prefix: str = ""

    timezone: str = "UTC"
    sweep_interval: Seconds = 2.0
    batch_size: int = Field(default=1_000, ge=1, le=5_000)
    chunk_size: int = Field(default=1_000, ge=1, le=5_000)
    max_attempts: int = Field(default=8, ge=1, le=100)
    retry_base: Seconds = 1.0
    retry_max: Seconds = 300.0
    retention_days: int = Field(default=0, ge=0, le=36_500)
    worker_metrics_port: int | None = Field(default=None, ge=1, le=65_535)
    task_queue_type: Literal["classic", "quorum"] = "classic"
    event_queues: Literal["user", "gateway"] = "user"

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Read the environment and `.env`; raise SettingError with one line for each wrong setting."""
        try:
            return cls(**given)
        except ValidationError as exc:
            lines = [
                f"{PREFIX}{'.'.join(map(str, e['loc'])).upper()}: {e['msg'].removeprefix('Value error, ')}"
                for e in exc.errors(include_url=False, include_input=False)
            ]
            raise SettingError("\n".join(lines)) from None

    @field_validator("api_keys", "allowed_origins", "events", "old_secrets", "token_audience", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
                raise ValueError(f"{origin!r} is not an origin; write it like https://shop.example")
        return tuple(_as_browsers_write(origin.rstrip("/").lower()) for origin in value)

    @field_validator("client_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.startswith(("/", "https://", "http://")) or value.startswith("//"):
            raise ValueError("must begin with /, https:// or http://")
        return value

    @field_validator("api_keys")
    @classmethod
    def _keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        KeyRing(key.get_secret_value() for key in value)
        return value

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if len(value.get_secret_value().encode()) < SECRET_BYTES:
            raise ValueError(f"must have {SECRET_BYTES} bytes at least")
        return value

    @field_validator("old_secrets")
    @classmethod
    def _all_long_enough(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            cls._long_enough(secret)
        return value

    @field_validator("jwks")
    @classmethod
    def _safely_fetched(cls, value: str | None) -> str | None:
        if value and "://" in value:
            parts = urlsplit(value)
            here = parts.hostname in ("localhost", "127.0.0.1", "::1")
            if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
                raise ValueError("must be an https:// URL (http:// of this machine alone) or a file")
        return value

    @field_validator("prefix")
    @classmethod
    def _path(cls, value: str) -> str:
        path = value.rstrip("/")
        if path and not PATH.fullmatch(path):
            raise ValueError("must be a path like /notify")
        return path

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        return check_timezone(value)

    @field_validator("log_level")
    @classmethod
    def _level(cls, value: str) -> str:
        if value.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
            raise ValueError("must be one of DEBUG, INFO, WARNING, ERROR")
        return value.upper()

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, values: Any) -> Any:
        """Treat an empty variable, like `NOTIFIER_DEMO=` in a compose file, as not set."""
        return {k: v for k, v in values.items() if v != ""} if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _fill_urls(self) -> Self:
        fill = object.__setattr__  # the model is frozen; this is still construction
        url = self.database_url or f"sqlite:///{self.var_dir / 'notifier.db'}"
        for old in ("postgres://", "postgresql://", "postgresql+psycopg2://"):
            if url.startswith(old):
                url = "postgresql+psycopg://" + url[len(old) :]
        if wrong := fault(url):
            raise SettingError(f"{PREFIX}DATABASE_URL: {wrong}")
        fill(self, "database_url", url)
        broker = self.broker_url or FILE_BROKER
        if wrong := broker_urls.fault(broker):
            raise SettingError(f"{PREFIX}BROKER_URL: {wrong}")
        fill(self, "broker_url", broker)
        return self

    @property
    def embedded(self) -> bool:
        """Whether the database is SQLite: the default for a first try, with generated secrets."""
        return self.database_url.startswith("sqlite:")

    @property
    def address(self) -> str:
        """Host and port for a URL: an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def file_broker(self) -> bool:
        """Whether the broker is a folder under `var_dir`."""
        return self.broker_url.startswith(FILE_BROKER)

    @property
    def demo_on(self) -> bool:
        """Whether the demo shop is served at `/`."""
        return self.embedded and self.loopback if self.demo is None else self.demo

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the web process."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def smtp_server(self) -> SmtpServer | None:
        """The SMTP server; None: none is set."""
        return SmtpServer.from_url(self.smtp_url.get_secret_value()) if self.smtp_url else None

    @property
    def email_on(self) -> bool:
        """Whether the channel `email` is set up; embedded it is always: mails are files then."""
        return self.smtp_url is not None or self.embedded

    @property
    def push_on(self) -> bool:
        """Whether the channel `push` is set up."""
        return self.vapid_key is not None or self.embedded

    @property
    def site_url(self) -> str:
        """The public address of this site. Raises SettingError when a channel needs it and it is not set."""
        if self.public_url is not None:
            return self.public_url
        if not self.embedded:
            raise SettingError(f"{PREFIX}PUBLIC_URL: is required for channels, like https://shop.example")
        return f"http://{self.address}{self.prefix}"

    @property
    def mail_sender(self) -> str:
        """The sender address of mails. Raises SettingError when mail needs it and it is not set."""
        if self.mail_from is not None:
            return self.mail_from
        if self.smtp_url is not None:
            raise SettingError(f"{PREFIX}MAIL_FROM: is required with {PREFIX}SMTP_URL")
        return "Live Notifications <notifications@localhost>"

    @property
    def push_subject(self) -> str | None:
        """The contact that a push service may write to; None: none is set."""
        if self.vapid_subject is not None:
            return self.vapid_subject
        if self.mail_from is not None:
            return f"mailto:{parseaddr(self.mail_from)[1]}"
        if self.public_url is not None and self.public_url.startswith("https://"):
            return self.public_url
        return "mailto:notifications@localhost" if self.embedded else None

    def signing_secret(self) -> str:
        """Return the secret that signs user tokens; embedded: created on first use, mode 0600.

        Raises SettingError when it is missing and the database is not SQLite.
        """
        if self.secret is not None:
            return self.secret.get_secret_value()
        if not self.embedded:
            raise SettingError(f"{PREFIX}SECRET: is required ({SECRET_BYTES} bytes at least)")
        return self._kept("secret", "SECRET")

    def backend_keys(self) -> tuple[str, ...]:
        """Return the entries for the API keys (`notifier.core.keys`).

        Embedded: one is created on first use, mode 0600.

        Raises SettingError when there is none and the database is not SQLite.
        """
        if self.api_keys:
            return tuple(key.get_secret_value() for key in self.api_keys)
        if not self.embedded:
            raise SettingError(f"{PREFIX}API_KEYS: is required (comma-separated)")
        return (self._kept("api-key", "API_KEYS"),)

    def _kept(self, name: str, setting: str) -> str:
        try:
            return read_or_make(self.var_dir / name, f"{PREFIX}{setting}", SECRET_BYTES)
        except OSError as exc:
            raise SettingError(f"{PREFIX}VAR_DIR: {self.var_dir / name}: {exc.strerror}") from None
