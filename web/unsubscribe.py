"""The page behind the link in a mail, and its one-click POST (RFC 8058).

A mail program may fetch every link it finds, so GET changes nothing. The POST comes from a mail server or
from the page's button, without a session or a cookie: the token alone says what is switched off.
"""

import secrets

from flask import Blueprint, Response, render_template_string, request

from notifier.core.errors import NotFound
from usecases.unsubscribe import Unsubscription, read_link, titles, unsubscribe
from web.describe import describe, public
from web.runtime import current

blueprint = Blueprint("unsubscribe", __name__, url_prefix="/unsubscribe")

PAGE = """<!doctype html>
<html lang="{{ lang }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style nonce="{{ nonce }}">
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1f2937; background: #f3f4f6; }
main { max-width: 30rem; margin: 12vh auto; padding: 2rem; background: #fff; border-radius: 12px; }
h1 { font-size: 1.4rem; margin: 0 0 1rem; }
button { font: inherit; font-weight: 600; padding: .6rem 1.2rem; border: 0; border-radius: 8px; color: #fff;
         background: #1d4ed8; cursor: pointer; }
@media (prefers-color-scheme: dark) {
  body { color: #e2e8f0; background: #0f172a; }
  main { background: #1e293b; }
}
</style>
</head>
<body><main>
<h1>{{ title }}</h1>
<p>{{ text }}</p>
{% if button %}<form method="post"><button>{{ button }}</button></form>{% endif %}
</main></body>
</html>
"""
WORDS = {
    "en": {
        "title": "Unsubscribe",
        "ask": "Get no more emails about: {what}?",
        "all": "all notifications",
        "button": "Unsubscribe",
        "done": "You are unsubscribed",
        "done_text": "You get no more emails about: {what}. You still find everything on the site.",
        "wrong": "This link is not valid",
        "wrong_text": "Please open the link from the newest email again.",
    },
    "de": {
        "title": "Abbestellen",
        "ask": "Keine E-Mails mehr erhalten zu: {what}?",
        "all": "allen Mitteilungen",
        "button": "Abbestellen",
        "done": "Abbestellt",
        "done_text": "Sie erhalten keine E-Mails mehr zu: {what}. Auf der Seite finden Sie weiterhin alles.",
        "wrong": "Dieser Link ist nicht gültig",
        "wrong_text": "Bitte öffnen Sie den Link aus der neuesten E-Mail noch einmal.",
    },
}


@blueprint.get("")
@public
@describe({200: "text/html", 404: "text/html"}, errors=(503,))
def ask() -> Response:
    """Show a page that says what the link switches off, with a button."""
    try:
        found = read_link(current().settings, request.args.get("token", ""))
    except NotFound:
        return _page("wrong", "wrong_text", None, status=404)
    return _page("title", "ask", found, button=True)


@blueprint.post("")
@public
@describe({200: "text/html", 404: "text/html"}, errors=(408, 413, 503))
def switch_off() -> Response:
    """Switch mail off for the link's categories. Repeating it changes nothing."""
    runtime = current()
    try:
        found = read_link(runtime.settings, request.args.get("token", ""))
    except NotFound:
        return _page("wrong", "wrong_text", None, status=404)
    unsubscribe(runtime.database, runtime.local_first, found)
    return _page("done", "done_text", found)


def _page(
    title: str, text: str, found: Unsubscription | None, *, button: bool = False, status: int = 200
) -> Response:
    lang = request.accept_languages.best_match(list(WORDS), "en") or "en"
    words = WORDS[lang]
    what = ", ".join(titles(found.categories)) if found and found.categories else words["all"]
    nonce = secrets.token_urlsafe(16)
    html = render_template_string(
        PAGE,
        lang=lang,
        nonce=nonce,
        title=words[title],
        text=words[text].format(what=what),
        button=words["button"] if button else None,
    )
    response = Response(html, status, content_type="text/html; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return response
