"""The Flask extension: settings from the application's config, tokens, the bell, and sends in its session.

    from notifier.flask import Notifier

    notifier = Notifier(app)  # or Notifier() and notifier.init_app(app)
    notifier.send("user-7", {"title": "Hello", "message": "From Flask.", "type": "info"})

Flask is the application's own. Flask-SQLAlchemy, Flask-Login and Flask-Migrate are used where the application
has them; none is needed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask, appcontext_pushed, current_app, jsonify
from flask.typing import ResponseReturnValue
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from pydantic import BaseModel
from sqlalchemy.orm import Session, scoped_session

from notifier import send as sending
from notifier.alembic import beside
from notifier.core.errors import SettingError
from notifier.flask_commands import commands
from notifier.send import LOCK_TIMEOUT, Sender
from notifier.settings import PREFIX, Settings
from notifier.tokens import Tokens

EXTENSION = "notifier"
TOKEN_URL = "/notifier/token"  # noqa: S105 - where it is, not what it is
UserLoader = Callable[[], object]

BELL = (
    '<script type="module" src="{script}"{nonce}></script>'
    '<notification-bell url="{url}" token-url="{token_url}"></notification-bell>'
)


class _FromSession:
    """The default of `session`: the application's session, if it has one."""


OWN_SESSION = _FromSession()


@dataclass(frozen=True, slots=True)
class _State:
    """The extension's state in an application."""

    settings: Settings
    sender: Sender


def settings_of(app: Flask) -> Settings:
    """Return the settings of an application: NOTIFIER_… of its config, then of the environment.

    Raises SettingError, with a line for each wrong or unknown one.
    """
    given = {name: value for name, value in app.config.items() if name.startswith(PREFIX)}
    fields = {name: name.removeprefix(PREFIX).lower() for name in given}
    unknown = [name for name, field in fields.items() if field not in Settings.model_fields]
    if unknown:
        raise SettingError("\n".join(f"{name}: there is no such setting" for name in unknown))
    return Settings.load(**{fields[name]: value for name, value in given.items() if value is not None})


class Notifier:
    """The extension.

    Args:
        app: the application; without one, call `init_app`.
        token_url: where pages get the signed-in user's token; None: the application has a route of its own.
    """

    def __init__(self, app: Flask | None = None, *, token_url: str | None = TOKEN_URL) -> None:
        self._token_url = token_url
        self._load_user: UserLoader = _flask_login
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set up an application. Connects to nothing. Raises SettingError for a wrong setting."""
        settings = settings_of(app)
        if self._token_url is not None:
            if not settings.embedded:
                settings.signing_secret()
            app.add_url_rule(self._token_url, "notifier_token", self._token)
        sender = Sender.from_settings(settings, lock_timeout=LOCK_TIMEOUT)
        sending.use(sender)  # `send_notification` in this process uses the application's settings too
        app.extensions[EXTENSION] = _State(settings, sender)
        app.jinja_env.globals["notification_bell"] = self._bell
        app.cli.add_command(commands)
        # Flask-Migrate may be set up later than this.
        appcontext_pushed.connect(_keep_migrations_away, app)

    def user_loader(self, load: UserLoader) -> UserLoader:
        """Register the function that returns the signed-in user's id, or None (a decorator)."""
        self._load_user = load
        return load

    def send(
        self,
        to: str | Iterable[str],
        data: BaseModel | Mapping[str, Any],
        *,
        session: "Session | scoped_session[Any] | _FromSession | None" = OWN_SESSION,
        **options: Any,
    ) -> str:
        """Send as `notifier.send_notification` does, in the application's `db.session` when it has one.

        It is durable after that session's commit. `session=None` sends at once.
        """
        if isinstance(session, _FromSession):
            database = current_app.extensions.get("sqlalchemy")
            session = getattr(database, "session", None)
        return sending.send_through(_state().sender, to, data, session=session, **options)

    def token(self, user_id: str, ttl: int = 3_600) -> str:
        """Return a token for a user, valid for `ttl` seconds."""
        return Tokens.from_settings(_state().settings).mint(user_id, ttl)

    def _token(self) -> ResponseReturnValue:
        user_id = self._load_user()
        headers = {"Cache-Control": "no-store"}
        if user_id is None:
            return jsonify(token=None), 401, headers
        return jsonify(token=self.token(str(user_id))), 200, headers

    @pass_context
    def _bell(self, context: Context, nonce: str | None = None) -> Markup:
        """Return the bell's element and its script, for a template: `{{ notification_bell() }}`."""
        if nonce is None:
            own = context.get("csp_nonce")
            nonce = own() if callable(own) else own
        url = _state().settings.client_url
        return Markup(BELL).format(  # noqa: S704 - `format` of a Markup escapes what it is given
            script=f"{url.rstrip('/')}/client/bundle/bell.js",
            nonce=Markup(' nonce="{}"').format(nonce) if nonce else "",
            url=url,
            token_url=self._token_url or "",
        )


def _state() -> _State:
    state: _State = current_app.extensions[EXTENSION]
    return state


def _flask_login() -> object:
    """Return the id of Flask-Login's user; None when nobody is signed in."""
    if not hasattr(current_app, "login_manager"):
        raise RuntimeError("say who is signed in: decorate a function with @notifier.user_loader")
    from flask_login import current_user  # noqa: PLC0415 - only where the application has it

    return current_user.get_id() if current_user.is_authenticated else None


def _keep_migrations_away(app: Flask, **_: object) -> None:
    """Let `flask db migrate` ignore our tables, in addition to what the application's function leaves out."""
    migrate = app.extensions.get("migrate")
    arguments: dict[str, Any] | None = getattr(migrate, "configure_args", None)
    if arguments is not None:
        arguments["include_object"] = beside(arguments.get("include_object"))
        appcontext_pushed.disconnect(_keep_migrations_away, app)
