"""Render a mail: subject, text and HTML from Jinja2 templates.

Templates come from disk only: `EVENT.html` and `EVENT.txt` (else `alert`), `digest.html` and `digest.txt`.
Each is looked for in NOTIFIER_TEMPLATES, then in ours. What senders wrote is only ever a variable of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import css_inline
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from notifier.channels import Entry, Message
from notifier.core.categories import category
from worker.channels.mail_words import direction, language, words

OURS = Path(__file__).parent / "templates"
ALERT, DIGEST = "alert", "digest"


@dataclass(frozen=True, slots=True)
class Page:
    """A mail's contents."""

    subject: str
    text: str
    html: str


class MailPages:
    """Renders mails.

    Args:
        public_url: where this site is for its users; paths in notifications are made absolute with it.
        templates: a folder of the operator's own templates; None: ours only.
    """

    def __init__(self, public_url: str, templates: Path | None = None) -> None:
        self._public_url = public_url.rstrip("/")
        self._folders = [*([templates] if templates else []), OURS]

    @cached_property
    def _environment(self) -> SandboxedEnvironment:
        environment = SandboxedEnvironment(
            loader=ChoiceLoader([FileSystemLoader(folder) for folder in self._folders]),
            autoescape=lambda name: bool(name and name.endswith(".html")),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters["absolute"] = self.absolute
        environment.filters["one_line"] = one_line
        return environment

    @cached_property
    def _inliner(self) -> css_inline.CSSInliner:
        # No stylesheet or file is ever loaded; media queries stay, for dark mode and narrow screens.
        return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True, keep_style_tags=False)

    def absolute(self, url: str) -> str:
        """Return a path as an address of this site; an address as it is."""
        return f"{self._public_url}{url}" if url.startswith("/") else url

    def render(self, message: Message, unsubscribe: str | None) -> Page:
        """Render a message. `unsubscribe`: the link's address; None: the mail cannot be switched off."""
        said = words(message.locale)
        context = self._context(message, said, unsubscribe)
        name = DIGEST if message.digest else message.entry.event
        html = self._template(name, "html").render(context)
        text = self._template(name, "txt").render(context)
        return Page(self._subject(message, said), text.strip() + "\n", self._inliner.inline(html))

    def _template(self, name: str, ending: str) -> Template:
        names = [f"{name}.{ending}"] if name == DIGEST else [f"{name}.{ending}", f"{ALERT}.{ending}"]
        return self._environment.select_template(names)

    def _subject(self, message: Message, said: Mapping[str, str]) -> str:
        if not message.digest:
            return one_line(title_of(message.entry))
        count = said["digest_one"] if message.total == 1 else said["digest"].format(total=message.total)
        return f"{said[message.digest]}: {count}"

    def _context(self, message: Message, said: Mapping[str, str], unsubscribe: str | None) -> dict[str, Any]:
        entry = message.entry
        return {
            "subject": self._subject(message, said),
            "lang": language(message.locale),
            "dir": direction(message.locale),
            "words": said,
            "name": message.name,
            "event": entry.event,
            "data": entry.data,
            "category": title_of_category(entry.category),
            "required": message.required,
            "entries": [_shown(one) for one in message.entries],
            "total": message.total,
            "more": message.total - len(message.entries),
            "digest": message.digest,
            "public_url": self._public_url + "/",
            "unsubscribe": unsubscribe,
            **_shown(entry),
        }


def one_line(text: str) -> str:
    """Return a text with each run of line breaks and blanks as one blank."""
    return " ".join(text.split())


def title_of(entry: Entry) -> str:
    """Return an entry's title; of an event without one, its category's."""
    title = entry.data.get("title")
    return title if isinstance(title, str) and title.strip() else title_of_category(entry.category)


def title_of_category(name: str) -> str:
    """Return the title of a category."""
    found = category(name)
    return found.title if found else name


def _shown(entry: Entry) -> dict[str, Any]:
    """Return the variables of an entry for templates: `title`, `message`, `type`, `actions`."""
    data = entry.data
    message = data.get("message")
    actions: Sequence[Any] = data.get("actions") or [data.get("action")]
    return {
        "title": title_of(entry),
        "message": message if isinstance(message, str) else "",
        "type": data["type"] if data.get("type") in ("info", "warning", "error", "success") else "info",
        "actions": [
            action
            for action in actions
            if isinstance(action, Mapping) and action.get("label") and action.get("url")
        ],
    }
