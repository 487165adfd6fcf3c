"""docker-compose.yml, Dockerfile, Procfile and the lock files: valid by their schema, and consistent with this project.

No Docker engine is needed. tests/acceptance/test_production_shape.py runs the commands.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from cli.main import main
from notifier.settings import PREFIX, Settings

REPO = Path(__file__).resolve().parents[2]
SCHEMA = REPO / "tests" / "data" / "compose-spec" / "compose-spec.json"
OURS = ("migrate", "web", "worker", "reach")
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")
SECRETS = ("PASSWORD", "SECRET", "API_KEYS", "TOKEN")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((REPO / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def procfile() -> dict[str, list[str]]:
    lines = (REPO / "Procfile").read_text().splitlines()
    return {name: rest.split() for name, rest in (line.split(": ", 1) for line in lines if line)}


def dockerfile(word: str) -> list[str]:
    """Return the Dockerfile's instructions `word`, each as one line."""
    text = re.sub(r"\\\n", " ", (REPO / "Dockerfile").read_text())
    return [line.split(" ", 1)[1].strip() for line in text.splitlines() if line.startswith(f"{word} ")]


# ------------------------------------------------------------------ docker-compose.yml


def test_compose_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(compose)


def test_the_schema_finds_a_wrong_key(compose: dict[str, Any]) -> None:
    wrong = {**compose, "services": {"web": {"image": "x", "restrat": "always"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(wrong)


def test_all_of_our_parts_run_from_one_image(services: dict[str, Any]) -> None:
    assert len({services[name]["image"] for name in OURS}) == 1


def test_the_parts_of_the_procfile_are_those_of_compose(services: dict[str, Any]) -> None:
    in_compose = {name: services[name]["command"] for name in OURS}
    in_procfile = procfile()
    in_procfile["migrate"] = in_procfile.pop("release")
    assert in_procfile == in_compose


def test_every_named_command_exists(services: dict[str, Any]) -> None:
    image_default = [json.loads(line) for line in dockerfile("CMD")]
    for command in [*procfile().values(), *(services[name]["command"] for name in OURS), *image_default]:
        program, *rest = command
        assert program == "notifier"
        assert main.get_command(click.Context(main), rest[0]) is not None, command
    scripts = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["scripts"]
    assert "notifier" in scripts


def test_the_parts_start_in_order(services: dict[str, Any]) -> None:
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("web", "worker"):
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "rabbitmq": {"condition": "service_healthy"},
        }


def test_every_service_has_a_restart_policy_and_a_health_check(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
        health = service["healthcheck"]
        assert health.get("disable") or {"test", "interval", "timeout", "retries"} <= set(health), name
        for dependent, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "test" in services[dependent]["healthcheck"]


def test_the_file_handle_limit_is_raised_where_each_user_costs_one(services: dict[str, Any]) -> None:
    for name in ("web", "rabbitmq"):
        assert services[name]["ulimits"]["nofile"]["soft"] >= 65_536


def test_our_parts_have_no_rights_and_can_write_to_one_folder_in_memory(services: dict[str, Any]) -> None:
    for name in OURS:
        service = services[name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["tmpfs"] == ["/tmp"], name
        assert Path(service["environment"]["NOTIFIER_VAR_DIR"]).parent == Path("/tmp"), name
        assert not {"volumes", "privileged", "cap_add", "user"} & set(service), name


def test_the_data_is_kept_in_named_volumes(compose: dict[str, Any]) -> None:
    for name in ("postgres", "rabbitmq"):
        (mount,) = compose["services"][name]["volumes"]
        assert mount.split(":")[0] in compose["volumes"]


def test_a_service_has_longer_to_stop_than_it_takes(services: dict[str, Any]) -> None:
    grace = Settings.model_fields["restart_grace"].default
    for name in ("web", "worker"):
        assert int(services[name]["stop_grace_period"].removesuffix("s")) > grace + 10


# ------------------------------------------------------------------ settings and secrets


def test_every_setting_named_exists(services: dict[str, Any]) -> None:
    named = {key for name in OURS for key in services[name]["environment"]}
    named |= {pair.split("=")[0] for line in dockerfile("ENV") for pair in line.split()}
    settings = {key.removeprefix(PREFIX).lower() for key in named if key.startswith(PREFIX)}
    assert settings
    assert settings <= set(Settings.model_fields)


def test_no_secret_has_a_default() -> None:
    found = [match for match in VARIABLE.finditer((REPO / "docker-compose.yml").read_text())]
    secret = [match for match in found if any(word in match["name"] for word in SECRETS)]
    assert {match["name"] for match in secret} == {
        "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "NOTIFIER_SECRET", "NOTIFIER_API_KEYS",
    }  # fmt: skip
    for match in secret:
        assert match["rest"].startswith(":?"), match[0]
        assert len(match["rest"]) > 2, f"{match[0]} does not say what to do"


def test_no_secret_is_written_down(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for key, value in service.get("environment", {}).items():
            if any(word in key for word in SECRETS) or key.endswith(("_PASS", "_URL")):
                assert VARIABLE.search(value), f"{name}: {key}"
    for line in dockerfile("ENV"):
        assert not any(word in line for word in SECRETS)


def test_the_settings_are_accepted_by_the_code(services: dict[str, Any]) -> None:
    """With each variable filled in, the environment of each part loads, and web has its secrets."""

    def fill(text: str) -> str:
        def value(match: re.Match[str]) -> str:
            return match["rest"][2:] if match["rest"].startswith(":-") else "x" * 32

        return VARIABLE.sub(value, text)

    for name in OURS:
        given = {
            key.removeprefix(PREFIX).lower(): fill(value)
            for key, value in services[name]["environment"].items()
        }
        settings = Settings(_env_file=None, **given)  # type: ignore[call-arg]
        assert not settings.embedded
        assert not settings.demo_on
        assert settings.broker_url.startswith("amqp://")
        if name == "web":
            assert settings.signing_secret()
            assert settings.backend_keys()


# ------------------------------------------------------------------ Dockerfile


def test_the_image_runs_as_an_ordinary_user_and_keeps_no_build_tools() -> None:
    stages = dockerfile("FROM")
    assert len(stages) == 2
    assert all("slim" in stage for stage in stages)
    assert dockerfile("USER") == ["10001"]
    assert "HEALTHCHECK " in (REPO / "Dockerfile").read_text()


def test_the_image_installs_locked_dependencies_with_hashes() -> None:
    installs = [line for line in dockerfile("RUN") if "pip install" in line]
    assert "--require-hashes --only-binary :all: -r requirements/run.txt" in installs[0]
    assert all("--no-deps" in line for line in installs[1:])


def test_the_image_gets_every_package_and_every_file_it_copies_exists() -> None:
    copied = [
        word for line in dockerfile("COPY") for word in line.split()[:-1] if not line.startswith("--from")
    ]
    for name in copied:
        assert (REPO / name).exists(), name
    told = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["setuptools"]
    modules = {f"{name}.py" for name in told["py-modules"]}
    assert {name.split(".")[0] for name in told["packages"]} | modules <= set(copied)
    allowed = {line[1:] for line in (REPO / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == allowed


# ------------------------------------------------------------------ the lock files


@pytest.mark.parametrize("name", ["run", "dev", "build", "audit", "library-floors", "library-newest"])
def test_every_locked_requirement_has_a_hash_and_no_index_is_named(name: str) -> None:
    text = (REPO / "requirements" / f"{name}.txt").read_text()
    for block in re.split(r"\n(?=\S)", text.replace("\\\n", " ")):
        if block.startswith("#") or not block.strip():
            continue
        assert re.match(r"[\w.-]+==\S+", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|https?://|file:", text)


def test_the_run_lock_is_a_part_of_the_dev_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(
            re.findall(
                r"^([\w.-]+==[^\s;]+)", (REPO / "requirements" / f"{name}.txt").read_text(), re.MULTILINE
            )
        )

    assert pins("run") <= pins("dev")


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    library = tomllib.loads((REPO / "notifier" / "pyproject.toml").read_text())["project"]
    own = f"{library['name']}=={library['version']}"
    assert own in project["dependencies"]  # the two are released together
    assert library["version"] == project["version"]
    project["dependencies"].remove(own)
    for lock, wanted in (
        ("run", project["dependencies"] + library["dependencies"] + extras["build"]),
        ("dev", project["dependencies"] + library["dependencies"] + extras["build"] + extras["dev"]),
        ("library-floors", library["dependencies"] + library["optional-dependencies"]["test"]),
        ("library-newest", library["dependencies"] + library["optional-dependencies"]["test"]),
    ):
        text = (REPO / "requirements" / f"{lock}.txt").read_text().lower()
        locked = {name.replace("_", "-") for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}
        names = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in wanted}  # type: ignore[index]
        assert names <= locked


# ------------------------------------------------------------------ .ci/run


def test_the_ci_script_is_executable_and_parses() -> None:
    script = REPO / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run([bash, "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


WITHOUT_THE_REST = """
import importlib.abc, importlib.metadata, re, sys

locked = {name.replace("_", "-") for name in LOCKED} | {"live-notifications", "live-notifications-service", "pip"}
homes = importlib.metadata.packages_distributions()
hidden = {
    module for module, homes_of in homes.items()
    if not any(re.sub(r"[-_.]+", "-", home).lower() in locked for home in homes_of)
}

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r} in requirements/run.txt", name=name)

assert "pytest" in hidden and "flask" not in hidden
sys.meta_path.insert(0, Refuse())
"""


@pytest.mark.parametrize(
    "line",
    [
        "import gunicorn.app.wsgiapp, gunicorn.workers.ggevent",
        "import celery.__main__, celery.apps.worker, celery.concurrency.solo",
        "import kombu.transport.pyamqp, kombu.transport.filesystem",
        "import alembic.command, sqlalchemy.dialects.postgresql.psycopg, psycopg",
        "import cli.main, notifier.send, cli.follow, cli.up, cli.supervise, web, examples.orders_app",
        "import worker.app, worker.tasks",
    ],
)
def test_what_runs_in_production_needs_no_more_than_the_run_lock(line: str) -> None:
    text = (REPO / "requirements" / "run.txt").read_text().lower()
    locked = re.findall(r"^([\w.-]+)==", text, re.MULTILINE)
    program = WITHOUT_THE_REST.replace("LOCKED", repr(locked)) + line
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPO, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
