"""Check the broker's URL, with one line for what is wrong, before a driver parses it."""

from urllib.parse import urlsplit

FILE_BROKER = "filesystem://"
AMQP = ("amqp://", "amqps://", "pyamqp://")
ENCODE = "write special characters of user and password percent-encoded (@ is %40, / is %2F, : is %3A)"


def fault(urls: str) -> str | None:
    """Return what is wrong with a URL, or with one of several separated by `;`; None: nothing.

    Does not show the URL, since it has a password.
    """
    if urls.startswith(FILE_BROKER) and ";" not in urls:
        return None
    for url in urls.split(";"):
        if wrong := _fault(url.strip()):
            return wrong
    return None


def _fault(url: str) -> str | None:
    if not url.startswith(AMQP):
        return f"must begin with amqp:// or amqps:// (or {FILE_BROKER})"
    if any(sign.isspace() or not sign.isprintable() for sign in url):
        return f"has blanks or control characters; {ENCODE}"
    try:
        port = urlsplit(url).port
    except ValueError:
        return f"has a host or a port that cannot be read; {ENCODE}"
    return f"has the port 0; {ENCODE}" if port == 0 else None
