"""The fixed words of our mails, by language; English where one is missing.

An operator's own templates need none of them.
"""

from collections.abc import Mapping

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur"})

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "open": "Open",
        "unsubscribe": "Unsubscribe",
        "why": "You get this because notifications by email are switched on for “{category}”.",
        "why_digest": "You get this because notifications by email are switched on, as a summary.",
        "required": "This is an important message about your account; it cannot be switched off.",
        "digest_one": "1 new notification",
        "digest": "{total} new notifications",
        "more": "and {count} more",
        "hourly": "Your hourly summary",
        "daily": "Your daily summary",
        "weekly": "Your weekly summary",
    },
    "de": {
        "open": "Öffnen",
        "unsubscribe": "Abbestellen",
        "why": "Sie erhalten diese Nachricht, weil E-Mails für „{category}“ eingeschaltet sind.",
        "why_digest": "Sie erhalten diese Nachricht, weil Zusammenfassungen per E-Mail eingeschaltet sind.",
        "required": "Dies ist eine wichtige Nachricht zu Ihrem Konto; sie kann nicht abbestellt werden.",
        "digest_one": "1 neue Mitteilung",
        "digest": "{total} neue Mitteilungen",
        "more": "und {count} weitere",
        "hourly": "Ihre stündliche Zusammenfassung",
        "daily": "Ihre tägliche Zusammenfassung",
        "weekly": "Ihre wöchentliche Zusammenfassung",
    },
}


def language(locale: str | None) -> str:
    """Return a locale as HTML's `lang` (RFC 5646): `de_DE.UTF-8` is `de-DE`; None is `en`."""
    tag = (locale or "en").split(".")[0].split("@")[0].replace("_", "-")
    parts = tag.split("-")
    return tag if all(part.isascii() and part.isalnum() for part in parts) and len(tag) <= 35 else "en"


def direction(locale: str | None) -> str:
    """Return `rtl` or `ltr`."""
    return "rtl" if language(locale).split("-")[0].lower() in RIGHT_TO_LEFT else "ltr"


def words(locale: str | None) -> Mapping[str, str]:
    """Return the words for a locale."""
    return WORDS["en"] | WORDS.get(language(locale).split("-")[0].lower(), {})  # type: ignore[operator,no-any-return]
