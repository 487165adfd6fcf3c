"""Writes docs/licences.md: under which licence is what we run, ship and develop with (`make licences`)."""

import json
import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
NPM = [ROOT / "tests" / "client" / folder / "package-lock.json" for folder in (".", "react-app")]

#: SPDX names, and "BSD" of those that do not say which one: all may be used, unchanged, beside closed code.
ACCEPTED = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LGPL-3.0-only", "MIT", "MIT-0",
    "MPL-2.0", "PSF-2.0", "ZPL-2.1",
}  # fmt: skip
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
#: Locked for other systems, so not installed here.
ELSEWHERE = {"async-timeout": "Apache-2.0", "colorama": "BSD-3-Clause", "tzdata": "Apache-2.0"}
UNKNOWN = "unknown"

HEAD = """# Licences

The project itself is under the MIT licence ([LICENSE](../LICENSE)). What it uses is listed here by its own
metadata. `make licences` writes this page; `tests/unit/test_licences.py` holds it to the lock files, and
fails for a licence that is unknown or not one of those accepted in `requirements/licences.py`.

psycopg is under the LGPL, and orjson in parts under the MPL: both are installed unchanged, as packages of
their own, so neither asks anything of your code. The wheels of psycopg-binary, gevent, cryptography and
orjson carry libraries of their own (libpq, OpenSSL, libev, c-ares, Rust crates); their licences are inside.
"""


def locked(name: str) -> list[str]:
    """Return the names that a lock file pins, in order."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    return sorted(set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE)))


def licence(name: str) -> str:
    """Return the licence of a package as an SPDX expression where it names one, else `unknown`."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ELSEWHERE.get(name, UNKNOWN)
    named = about["License-Expression"] or about["License"] or ""
    if about["License-Expression"] or named in ACCEPTED:
        return named
    classes = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or [] if line.startswith("License")
    ]
    known = sorted(CLASSIFIERS[one] for one in classes if one in CLASSIFIERS)
    return " AND ".join(known) or UNKNOWN


def unwanted(expression: str) -> set[str]:
    """Return the parts of an expression that are not accepted."""
    return set(re.findall(r"[\w.+-]+", re.sub(r"\b(AND|OR)\b", " ", expression))) - ACCEPTED


def npm() -> dict[str, str]:
    """Return the licences of what the client's tests lock, by name."""
    return {
        path.rpartition("node_modules/")[2]: about.get("license", UNKNOWN)
        for lock in NPM
        for path, about in sorted(json.loads(lock.read_text())["packages"].items())
        if path
    }


def page() -> str:
    """Return the text of the page."""
    run, dev = locked("run"), locked("dev")
    shipped = {"uPlot (in `web/dashboard/vendor`)": "MIT"}
    kept = {"compose-spec.json (in `tests/data`)": "Apache-2.0"}
    return HEAD + "".join(
        f"\n## {title}\n\n{said}\n\n| what | licence |\n| --- | --- |\n"
        + "".join(f"| {name} | {expression} |\n" for name, expression in rows.items())
        for title, said, rows in (
            ("What runs", "`requirements/run.txt`.", {name: licence(name) for name in run}),
            (
                "What is shipped to browsers",
                "The client has no dependencies; the dashboard has one.",
                shipped,
            ),
            (
                "What it is developed and tested with",
                "`requirements/dev.txt`, beyond the above; nothing of it is in the image.",
                {name: licence(name) for name in dev if name not in run} | kept,
            ),
            (
                "What the client is tested with",
                "The two lock files in `tests/client/`; nothing of it is shipped, esbuild writes the bundle.",
                npm(),
            ),
        )
    )


if __name__ == "__main__":
    PAGE.write_text(page())
