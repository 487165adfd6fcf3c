"""The examples of the documentation, run as they stand there, beside a running site of each backend."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.pages import blocks
from tests.harness.processes import REPO
from tests.harness.site import Site, new_user

pytestmark = pytest.mark.acceptance


def for_user(user: str, text: str) -> str:
    return text.replace("user-7", user).replace("order-7-", f"order-of-{user}-")


def environment(site: Site, user: str) -> dict[str, str]:
    return processes.clean_env(
        {
            **site.backend.env,
            "NOTIFIER": site.backend.base_url,
            "KEY": site.backend.api_key,
            "TOKEN": site.backend.token(user),
        }
    )


def test_the_curl_examples_of_the_http_api_work(site: Site) -> None:
    user = new_user("docs")
    setting_up, *examples = blocks("docs/http-api.md", "sh")
    assert set(re.findall(r"^(\w+)=", setting_up, re.MULTILINE)) == {"NOTIFIER", "KEY", "TOKEN"}
    # In one shell, as somebody who reads on from the top.
    done = subprocess.run(
        ["/bin/sh", "-eux", "-c", for_user(user, "\n".join(examples))], env=environment(site, user), cwd=REPO,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    site.arrived(user, 3)


def test_the_python_api_page_runs_from_top_to_bottom(site: Site, tmp_path: Path) -> None:
    user = new_user("docs")
    program = tmp_path / "page.py"
    program.write_text(for_user(user, "\n".join(blocks("docs/python-api.md", "python"))))
    env = environment(site, user) | {"PYTHONPATH": f"{REPO}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)], env=env, cwd=REPO,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    site.arrived(user, 6)


def test_the_first_notifications_of_the_readme_arrive(site: Site, tmp_path: Path) -> None:
    user = new_user("docs")
    (python,) = blocks("README.md", "python")
    curl = blocks("README.md", "sh")[-1].replace("http://127.0.0.1:3000", "$NOTIFIER")
    env = environment(site, user)
    for words in (
        [sys.executable, "-c", python.replace("customer-1", user)],
        ["/bin/sh", "-euc", curl.replace("customer-1", user).replace("$(cat var/api-key)", "$KEY")],
    ):
        done = subprocess.run(
            words, env=env, cwd=REPO, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
    site.arrived(user, 3)
    with site.user(user) as inbox:
        titles = [item["data"]["title"] for item in inbox.items()]
        assert titles == ["Hello", "Order Shipped"]


PAGES = [*REPO.glob("*.md"), *REPO.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", sorted(str(p.relative_to(REPO)) for p in PAGES))
def test_every_link_within_the_documentation_leads_somewhere(page: str) -> None:
    path = REPO / page
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{page}: {target}"
        if anchor:
            assert anchor in anchors(found), f"{page}: {target}"


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
