"""Schemathesis makes every call of `/openapi.json` with valid and with invalid input.

It compares each answer with the description: no 5xx, no undocumented status, no body that breaks its schema,
no invalid input accepted, no valid input refused, no access without credentials.

`make cases` is the long run; here the cases are few and the same every time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import backends, processes
from tests.harness.site import Site, new_user, running_site

HOOKS = Path(__file__).with_name("openapi_hooks.py")
EXAMPLES = int(os.environ.get("CASES", "0"))  # of each call and phase; 0: the short run
SEED = os.environ.get("SEED", "1")
# What only thousands of cases meet; the short run keeps the stricter lists.
LIMITED, STOPPED = (", 429", ", 409") if EXAMPLES else ("", "")
CONFIG = f"""
hooks = "{HOOKS}"

# The HTTP server itself refuses a request line or a header that is too long. Wrong credentials are limited.
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 413, 414, 422, 431{LIMITED}]

# A batch is accepted with what is right in it; what is wrong is refused in its answer.
[[operations]]
include-path = "/api/notifications/batch"
checks.negative_data_rejection.expected-statuses = [202, 400, 401, 403, 404, 405, 413, 414, 422, 431{LIMITED}]

# The notification may be a badge, which is replaced by another badge; and its state is looked at before the data.
[[operations]]
include-path = "/api/notifications/{{id}}"
include-method = "PATCH"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429, 503]
checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 413, 414, 422, 431{LIMITED}{STOPPED}]
"""
SWAPPED = """
# With an API key the user must be named, who is known from a user's token.
[[operations]]
include-path = "/api/preferences"
include-method = "GET"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429, 503]
"""
CREDENTIALS = """
[auth.openapi.apiKey]
bearer = "${API_KEY}"
[auth.openapi.userToken]
bearer = "${USER_TOKEN}"
"""
MORE = {"right": CREDENTIALS, "swapped": SWAPPED + CREDENTIALS, "none": ""}


@pytest.fixture(scope="module", params=backends.KINDS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a site for these cases alone: they address thousands of users."""
    folder = tmp_path_factory.mktemp(f"cases-{request.param}")
    rabbit = request.getfixturevalue("rabbit_server") if request.param == "production" else None
    with (
        backends.open_backend(request.param, folder / "var", rabbit) as backend,
        running_site(backend, folder) as started,
    ):
        yield started


@pytest.mark.timeout(3600 if EXAMPLES else 120)
@pytest.mark.parametrize("credentials", ["right", *(["swapped", "none"] if EXAMPLES else [])])
def test_every_answer_is_as_described(asked: Site, credentials: str, tmp_path: Path) -> None:
    user = new_user()
    for _ in range(3):
        asked.send(user)
    asked.api.badge(user, "tasks", 3)
    asked.arrived(user, 4)
    key, token = asked.backend.api_key, asked.backend.token(user)
    if credentials == "swapped":
        key, token = token, key
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG + MORE[credentials])
    served = asked.api.get("/openapi.json")
    description = tmp_path / "openapi.json"  # by its URL, it would not be asked for as a call like any other
    description.write_bytes(served.body)
    done = processes.run(
        "schemathesis", "--config-file", str(config), "--no-color", "run", "--checks", "all",
        "--exclude-checks", "use_after_free",  # what DELETE has stopped keeps its status, which says so
        "--continue-on-failure", "--max-examples", str(EXAMPLES or 4),
        *(("--seed", SEED) if EXAMPLES else ("--generation-deterministic",)),
        "--url", asked.backend.base_url, str(description),
        env={"API_KEY": key, "USER_TOKEN": token}, cwd=tmp_path, seconds=3600 if EXAMPLES else 100,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    calls = sum(map(len, served.json["paths"].values()))
    assert f"Tested: {calls}\n" in done.stdout, done.stdout
    cases = re.search(r"(\d+) generated, \1 passed", done.stdout)
    assert cases, done.stdout
    print(f"{asked.backend.kind}, {credentials} credentials: {cases[1]} cases of {calls} calls")
