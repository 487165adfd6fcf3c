"""Count publisher confirms.

Confirms are RabbitMQ's extension (https://www.rabbitmq.com/docs/confirms): the broker answers the
n-th publish of a channel with basic.ack n, or with one ack for all up to n (`multiple`), or with
basic.nack. A message without a queue is acked too, and dropped; that is fine, since SQL is the truth.
"""


class Confirms:
    """Which publishes of a channel the broker has confirmed."""

    def __init__(self) -> None:
        self._last = 0
        self._all_up_to = 0
        self._beyond: set[int] = set()
        self.refused = 0

    def publish(self) -> None:
        """Count one publish."""
        self._last += 1

    @property
    def outstanding(self) -> int:
        """The number of unconfirmed publishes."""
        return self._last - self._all_up_to - len(self._beyond)

    def ack(self, tag: int, multiple: bool) -> None:
        """Handle basic.ack: publish `tag` is confirmed, or with `multiple` all up to it."""
        if multiple:
            self._all_up_to = max(self._all_up_to, tag)
            self._beyond = {t for t in self._beyond if t > self._all_up_to}
        elif tag > self._all_up_to:
            self._beyond.add(tag)
        while self._all_up_to + 1 in self._beyond:
            self._all_up_to += 1
            self._beyond.remove(self._all_up_to)

    def nack(self, tag: int, multiple: bool) -> None:
        """Handle basic.nack: answered, but refused."""
        before = self.outstanding
        self.ack(tag, multiple)
        self.refused += before - self.outstanding
