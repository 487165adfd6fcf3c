"""Classify SMTP answers: what each means for the message and for its address, as one table.

Pure. Enhanced codes: RFC 3463, section 3; basic ones: RFC 5321, section 4.2. A bare 550 to RCPT may be a
passing policy as well as a mailbox that is gone, so it switches an address off on the third of three days
only.
"""

import re
from enum import Enum, auto

from notifier.channels import Gone, Refused, Result, Retry
from usecases.channel_results import InDoubt

ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
#: 5.1.7 and 5.1.8 are about the sender's address.
SENDERS = {(1, 7), (1, 8)}
MAX_REASON = 300  # characters


class Stage(Enum):
    """The step of the SMTP dialogue that was answered."""

    GREETING = auto()  # connect, EHLO, STARTTLS, AUTH, MAIL
    RECIPIENT = auto()  # RCPT
    DATA = auto()  # DATA, and the message


def verdict(stage: Stage, code: int, text: str) -> Result:
    """Return the result for an answer that is not a success."""
    reason = f"{code} {' '.join(text.split())}"[:MAX_REASON]
    if stage is Stage.GREETING or not 500 <= code <= 599:
        # Before RCPT the server talks of us, not of this message: nothing is lost by asking again.
        return Retry(reason=reason)
    found = ENHANCED.search(text)
    if found and found[1] == "5":
        subject, detail = int(found[2]), int(found[3])
        if subject == 1 and (subject, detail) not in SENDERS:
            return Gone(reason)
        return Refused(reason)
    if found and found[1] == "4":
        return Retry(reason=reason)
    if code == 550 and stage is Stage.RECIPIENT:
        return InDoubt(reason, limit=3, daily=True)
    return Refused(reason)
