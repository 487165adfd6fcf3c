"""Draw a bar for each side as SVG: small, readable in light and dark, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABELS, VALUES = 720, 230, 150
ROW, BAR, TOP = 30, 16, 34
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.bar{fill:#8c959f}"
    ".ours{fill:#0969da}.range{stroke:#1f2328;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#6e7681}.ours{fill:#4493f8}"
    ".range{stroke:#e6edf3}}"
)


@dataclass(frozen=True)
class Bar:
    """A side's median, with the smallest and the largest value of its rounds."""

    label: str
    value: float
    least: float
    most: float
    shown: str
    ours: bool = False


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Return an SVG document."""
    height = TOP + ROW * len(rows) + 8
    top = max((row.most for row in rows), default=0) or 1
    room = WIDTH - LABELS - VALUES
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(title)}</text>',
    ]
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        middle = y + BAR / 2
        least, most, length = (LABELS + room * v / top for v in (row.least, row.most, row.value))
        kind = "bar ours" if row.ours else "bar"
        width = max(1.0, length - LABELS)
        parts += [
            f'<text x="{LABELS - 10}" y="{y + 13}" text-anchor="end">{escape(row.label)}</text>',
            f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>',
            f'<line class="range" x1="{least:.1f}" x2="{most:.1f}" y1="{middle}" y2="{middle}"/>',
            f'<text x="{max(length, most) + 8:.1f}" y="{y + 13}">{escape(row.shown)}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
