"""The measurements of a worker for channels; `worker.metrics` counts them if there is a metrics port."""


class ReachMeasures:
    """Ignores all measurements."""

    def reached(self, channel: str, result: str, seconds: float) -> None:
        """Note an attempt: its result (`sent`, `retry` …), and the seconds that the provider took."""

    def paused(self, channel: str, *, paused: bool) -> None:
        """Note that a channel pauses, or continues."""
