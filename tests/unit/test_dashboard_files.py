"""Vendored files equal the published ones, and have their licence."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

UPLOT = Path(__file__).parents[2] / "web" / "dashboard" / "vendor" / "uplot"


def test_the_checksums_of_uplot_are_the_recorded_ones() -> None:
    noted = dict(re.findall(r"\| `(uPlot[\w.]+)` \| `([0-9a-f]{64})`", (UPLOT / "README.md").read_text()))
    files = {path.name: sha256(path.read_bytes()).hexdigest() for path in UPLOT.glob("uPlot*")}
    assert files == noted
    assert len(files) == 2


def test_its_licence_is_beside_it() -> None:
    assert "The MIT License" in (UPLOT / "LICENSE").read_text()
    assert "(MIT)" in (UPLOT / "LICENSE").read_text()
