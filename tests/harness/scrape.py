"""`/metrics` as Prometheus reads it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.harness.http_client import Http


def scrape(url: str) -> dict[str, float]:
    """Return every sample by its name and labels, over a new connection, so that any process may answer."""
    http = Http(url)
    text = http.request("GET", "/metrics").text
    http.close()
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families), "a family is shown twice"
    found: dict[str, float] = {}
    for sample in (sample for family in families for sample in family.samples):
        name = sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items()))
        assert name not in found, f"{name} is shown twice"
        found[name] = sample.value
    return found
