"""The browser's files: the bundle is compressed and cached for a year, single modules are revalidated."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from notifier import send
from tests.harness.world import migrate, settings
from web import create_app
from web.runtime import EXTENSION

CLIENT = Path(__file__).parents[2] / "client"
MANIFEST: dict[str, dict[str, dict[str, str]]] = json.loads(
    (CLIENT / "bundle" / "manifest.json").read_text("utf-8")
)
FILES = sorted({file["file"] for kinds in MANIFEST.values() for file in kinds.values()})


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = create_app(settings(var_dir=tmp_path, demo=True, api_keys="a-key"))
    migrate(app.extensions[EXTENSION].database.engine)
    yield app
    app.extensions[EXTENSION].database.dispose()
    send.use(None)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def get(client: FlaskClient, path: str, encodings: str = "") -> Any:
    return client.get(path, headers={"Accept-Encoding": encodings}, buffered=True)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    ("encodings", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("", None),
        ("identity", None),
    ],
)
def test_a_hashed_file_may_be_cached_for_a_year(
    client: FlaskClient, file: str, encodings: str, encoding: str | None
) -> None:
    answer = get(client, f"/client/bundle/{file}", encodings)
    assert answer.status_code == 200
    assert answer.headers.get("Content-Encoding") == encoding
    assert answer.content_type == "text/javascript; charset=utf-8"
    assert "Accept-Encoding" in answer.headers["Vary"]
    cached = answer.headers["Cache-Control"]
    assert all(word in cached for word in ("public", "immutable", "max-age=31536000")), cached
    plain = (CLIENT / "bundle" / file).read_bytes()
    if encoding == "gzip":
        assert gzip.decompress(answer.data) == plain
    elif encoding is None:
        assert answer.data == plain
    else:
        assert len(answer.data) < len(plain) / 1.4


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, entry in MANIFEST.items() for kind in ("module", "classic") if kind in entry],
)
def test_an_address_without_a_hash_is_revalidated(client: FlaskClient, name: str, kind: str) -> None:
    suffix = ".classic.js" if kind == "classic" else ".js"
    answer = get(client, f"/client/bundle/{name}{suffix}")
    assert answer.status_code == 200
    assert answer.data == (CLIENT / "bundle" / MANIFEST[name][kind]["file"]).read_bytes()
    assert "max-age=0" in answer.headers["Cache-Control"]
    assert "immutable" not in answer.headers["Cache-Control"]
    again = client.get(
        f"/client/bundle/{name}{suffix}", headers={"If-None-Match": answer.headers["ETag"]}, buffered=True
    )
    assert again.status_code == 304


def test_a_hash_of_another_version_gets_the_present_file_uncached(client: FlaskClient) -> None:
    answer = get(client, "/client/bundle/bell-AAAAAAAA.js", "gzip")
    assert (
        gzip.decompress(answer.data) == (CLIENT / "bundle" / MANIFEST["bell"]["module"]["file"]).read_bytes()
    )
    assert "immutable" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        "bundle/nothing.js",
        "bundle/nothing-AAAAAAAA.js",
        "bundle/manifest.json",
        "bundle/../build.mjs",
        "bundle/%2e%2e/__init__.py",
        "build.mjs",
        f"bundle/{MANIFEST['bell']['module']['file']}.gz",
    ],
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    assert get(client, f"/client/{path}").status_code == 404


def test_single_modules_still_work(client: FlaskClient) -> None:
    for path in sorted(CLIENT.glob("*.js")):
        answer = get(client, f"/client/{path.name}", "gzip, br")
        assert answer.status_code == 200
        assert answer.data == path.read_bytes()
        assert "max-age=0" in answer.headers["Cache-Control"]


def test_a_template_names_the_present_bundle(app: Flask) -> None:
    with app.test_request_context():
        found = render_template_string(
            "{{ client_script('bell') }} {{ client_script('notifier', 'classic') }}"
        )
    assert found.split() == [
        f"/client/bundle/{MANIFEST['bell']['module']['file']}",
        f"/client/bundle/{MANIFEST['notifier']['classic']['file']}",
    ]


def test_the_manifest_has_the_integrity_of_each_file() -> None:
    for kinds in MANIFEST.values():
        for file in kinds.values():
            digest = hashlib.sha384((CLIENT / "bundle" / file["file"]).read_bytes()).digest()
            assert file["integrity"] == f"sha384-{base64.b64encode(digest).decode()}"


def test_the_bundle_is_small() -> None:
    for name, limit in (("notifier", 8 * 1024), ("bell", 24 * 1024)):
        for file in MANIFEST[name].values():
            assert (CLIENT / "bundle" / f"{file['file']}.gz").stat().st_size <= limit
