"""The examples of the documentation, run as they are printed, beside a running site of each backend."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.examples import examples
from tests.harness.pages import blocks
from tests.harness.processes import REPO
from tests.harness.site import Site, new_user
from tests.harness.waiting import until

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


def test_every_call_of_the_http_api_answers_as_its_page_says(site: Site, tmp_path: Path) -> None:
    user = new_user("docs")
    (setting_up,) = (block for block in blocks("docs/api.md", "sh") if "curl" not in block)
    assert set(re.findall(r"^(\w+)=", setting_up, re.MULTILINE)) == {"NOTIFIER", "KEY", "TOKEN"}
    on_page = examples("docs/api.md")
    assert len(on_page) == len(blocks("docs/api.md", "sh")) - 1, "an example has no answer below it"
    env, wrong = environment(site, user), []
    with site.socket(user, after=0, device="phone"):
        until(lambda: site.rows(f"sockets WHERE user_id = '{user}'") == 1, 10, "the socket is written down")
        # Like a reader who starts at the top and takes some time.
        for example in on_page:
            here = replace(example, commands=for_user(user, example.commands))
            said, env = here.run(env, tmp_path)
            wrong += [f"{' '.join(example.call)}: {violation}" for violation in example.violations(said)]
            until(lambda: site.rows("notifications WHERE state = 'accepted'") == 0, 10, "all is dispatched")
    assert wrong == []


def test_every_call_of_the_http_api_has_an_example(site: Site) -> None:
    shown = {example.call for example in examples("docs/api.md")}
    calls = {
        (method, path)
        for path, methods in site.api.get("/openapi.json").json["paths"].items()
        for method in methods
        # Not every site has push, and links in mails are for people: docs/api.md has them in a table.
        if not path.startswith(("/api/push", "/unsubscribe"))
    }
    assert {(method, path.replace("$ID", "{id}")) for method, path in shown} == calls


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


def test_the_how_tos_of_a_notifications_life_do_what_they_say(site: Site, tmp_path: Path) -> None:
    user = new_user("docs")
    [morning] = ["\n".join(blocks("docs/how-to/send-at-nine.md", "python"))]
    env = environment(site, user) | {"PYTHONPATH": f"{REPO}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    [builds] = blocks("docs/how-to/replace-the-old-one.md", "python")
    for command in ([sys.executable, "-W", "error", "-c", for_user(user, morning)],
                    [sys.executable, "-W", "error", "-c", for_user(user, builds)],
                    ["/bin/sh", "-eu", "-c", for_user(user, blocks("docs/how-to/stop-a-wrong-broadcast.md", "sh")[0])]):  # fmt: skip
        done = subprocess.run(
            command, env=env, cwd=REPO, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["status"] in ("canceled", "retracted")
    with site.user(user) as api:
        until(lambda: [item.get("collapsed") for item in api.get("/api/inbox").json["items"]][-1:] == [4],
              10, "one is left of four builds")  # fmt: skip


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
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
