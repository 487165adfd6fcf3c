"""A text message as bytes on the wire: one frame of a server, without a mask (RFC 6455, section 5.2)."""

from struct import pack

_TEXT = 0x81  # the last frame of a message, and its first: text
_SHORT, _MEDIUM = 126, 65_536  # bytes from which the length has two, and eight bytes of its own


def text_frame(payload: bytes) -> bytes:
    """Return the frame of a text in UTF-8.

    wsproto makes the same bytes in forty times the time: it decodes, encodes and copies the text, and
    asks for extensions, of which we have none (`handshake.py`).
    """
    length = len(payload)
    if length < _SHORT:
        return pack("!BB", _TEXT, length) + payload
    if length < _MEDIUM:
        return pack("!BBH", _TEXT, _SHORT, length) + payload
    return pack("!BBQ", _TEXT, _SHORT + 1, length) + payload
