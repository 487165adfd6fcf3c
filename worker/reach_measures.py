"""What the worker for channels tells of its work; `worker.metrics` listens, if somebody asks for numbers."""


class ReachMeasures:
    """Hears everything and keeps nothing."""

    def reached(self, channel: str, result: str, seconds: float) -> None:
        """Hear of an attempt: its result (`sent`, `retry` …), and how long the provider took."""

    def paused(self, channel: str, *, paused: bool) -> None:
        """Hear that a channel pauses, or goes on."""
