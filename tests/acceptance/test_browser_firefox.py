"""The bell's flows in Firefox, over WebDriver BiDi (`tests/client/firefox/flows.mjs`)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.browser import shop_site
from tests.harness.processes import REPO
from tests.harness.site import Site

__all__ = ["shop_site"]
pytestmark = pytest.mark.browser

FLOWS = REPO / "tests/client/firefox/flows.mjs"


def _needed(found: object, missing: str) -> None:
    if not found:
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)


def test_the_flows_in_firefox(shop_site: Site, tmp_path: Path) -> None:
    firefox = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
    _needed(firefox, "Firefox is not installed (Debian: apt install firefox-esr; or set FIREFOX)")
    _needed((FLOWS.parents[1] / "node_modules/puppeteer-core").is_dir(), "npm ci was not run in tests/client")
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "FIREFOX": str(firefox),
        "NOTIFIER_URL": shop_site.backend.base_url,
        "NOTIFIER_KEY": shop_site.backend.api_key,
    }
    done = subprocess.run(
        ["node", "--test", "--test-reporter=spec", str(FLOWS)],
        env=env, cwd=FLOWS.parent, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
