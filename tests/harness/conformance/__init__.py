"""WebSocket conformance, after the public Autobahn case list, in the terms of notifier.v1.

case           one case as data, and helpers to write cases
framing, control, fragmentation, utf8, closing, limits   the cases after the upgrade
handshake      the requests for the upgrade
player         plays them on real connections

Autobahn's server echoes; ours speaks ops. So "is echoed" becomes "a `ping` op gets its `pong`". Where more
than that differs, the case names one of DEVIATIONS.
"""

from tests.harness.conformance import closing, control, fragmentation, framing, handshake, limits, utf8
from tests.harness.conformance.case import Case, Upgrade

#: Why a case differs from Autobahn, or from what RFC 6455 allows; docs/websocket.md has the table too.
DEVIATIONS = {
    "a text that is not an op": "Autobahn: echoed. Here a message is a JSON object with an op, else 4400.",
    "a binary message": "Autobahn: echoed. notifier.v1 has none: 4400, when the message is whole.",
    "a message over 64 KiB": "Autobahn: up to 16 MiB is echoed. Here 1009, at once.",
    "many small frames": "Autobahn: any number. Here over 50 a second on average, 100 at once, are 4429.",
    "permessage-deflate": "Autobahn 12 and 13: agreed on. Here never, so its bit is a reserved one: 1002.",
    "the close code 1014": "The IANA registered it after RFC 6455. Here 1002, as for an unknown code.",
    "a list in Upgrade": "RFC 9110 allows one. Here Upgrade names websocket alone, as every client sends it.",
}

CASES: tuple[Case | Upgrade, ...] = (
    *handshake.upgrades(),
    *framing.cases(),
    *control.cases(),
    *fragmentation.cases(),
    *utf8.cases(),
    *closing.cases(),
    *limits.cases(),
)
