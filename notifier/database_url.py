"""Check a database URL, with one line for what is wrong, before a driver parses it.

SQLAlchemy takes the text between two `@` for a host, and never stops looking for it.
"""

import re

_POSTGRES = re.compile(
    r"postgresql\+psycopg://(?:[^@]*@)?(?P<host>\[[^\]]*\]|[^/:?@]*)(?::(?P<port>[^/?@]*))?(?:/[^?@]*)?(?:\?.*)?"
)
_HOST = re.compile(r"[\w.%-]*|\[[0-9A-Fa-f:.]+(?:%\w+)?\]")
ENCODE = "write special characters of user and password percent-encoded (@ is %40, / is %2F, : is %3A)"
SEVERAL = "several hosts are written ?host=a:5432&host=b:5432&target_session_attrs=read-write"


def fault(url: str) -> str | None:
    """Return what is wrong with a URL, without showing it, since it has a password; None: nothing."""
    if (
        any(sign.isspace() or not sign.isprintable() for sign in url.partition("?")[0])
        and "sqlite" not in url[:6]
    ):
        return f"has blanks or control characters; {ENCODE}"
    if url.startswith("sqlite:///"):
        file = url.removeprefix("sqlite:///").partition("?")[0]
        if not file or file.endswith("/") or file.startswith(":memory:"):
            return "names no file; write it like sqlite:///var/notifier.db (four slashes: an absolute path)"
        return None
    if not url.startswith("postgresql+psycopg://"):
        return "must begin with sqlite:/// (a file) or postgresql+psycopg://"
    found = _POSTGRES.fullmatch(url)
    if found is None:
        return f"cannot be read; {ENCODE}"
    host, port = found["host"], found["port"]
    if "," in host or "," in (port or ""):
        return SEVERAL
    if not _HOST.fullmatch(host):
        return f"has an invalid host; {ENCODE}"
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        return f"has a port that is not a number from 1 to 65535; {ENCODE}"
    return None
