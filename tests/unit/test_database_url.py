"""An unusable database URL gives one line that names the setting and shows no password."""

from __future__ import annotations

import pytest

from notifier.core.errors import SettingError
from notifier.database_url import fault
from notifier.outbox.engine import make_engine
from notifier.settings import Settings

PG = "postgresql+psycopg://"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///", "sqlite:////", "sqlite:///?x=1", "sqlite://", "sqlite:///:memory:", "sqlite:///var/",
        f"{PG}u:p@ss@h/d", f"{PG}u:geh@im/x@h/d", f"{PG}u:p w@h/d", f"{PG}u:p\n@h/d", f"{PG}h:abc/d",
        f"{PG}u:pw@h:abc/d", f"{PG}u:pw@h:70000/d", f"{PG}u:pw@h:0/d", f"{PG}u:pw@a:1,b:2/d",
        f"{PG}u:pw@a,b/d", f"{PG}u:pw@h h/d", f"{PG}u:pw@[::1/d", f"{PG}u:pw@h<x>/d", f"{PG}u:a@b:c@h/d",
        f"{PG}u:pw@h/d@e",
    ],
)  # fmt: skip
def test_a_url_that_cannot_work_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(SettingError) as raised:
        Settings.load(_env_file=None, database_url=url)
    said = str(raised.value)
    assert said.startswith("NOTIFIER_DATABASE_URL: ")
    assert "\n" not in said
    assert not any(secret in said for secret in ("p@ss", "geh", "pw"))


def test_several_hosts_get_a_hint_how_to_write_them() -> None:
    assert "?host=a:5432&host=b:5432&target_session_attrs=read-write" in (fault(f"{PG}u@a:1,b:2/d") or "")


@pytest.mark.parametrize(
    "url",
    [
        f"{PG}h/d", f"{PG}/d", f"{PG}u@h/d", f"{PG}u:p@h:5432/d", f"{PG}u:p%40ss%2F@h/d", f"{PG}u:p#?/x:y@h/d",
        f"{PG}u:p@[::1]:5432/d", f"{PG}u:p@10.0.0.1/d?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        f"{PG}u:p@/d?host=a:1&host=b:2&target_session_attrs=read-write", f"{PG}u:p@/d?host=/var/run/postgresql",
        f"{PG}u:p@db_1.internal-x/d", "sqlite:///var/notifier.db", "sqlite:////data/my folder/n.db",
    ],
)  # fmt: skip
def test_a_valid_url_is_accepted(url: str) -> None:
    assert Settings.load(_env_file=None, database_url=url).database_url == url
    if url.startswith(PG):
        make_engine(url).dispose()


def test_an_option_that_the_driver_does_not_know_is_named() -> None:
    with pytest.raises(SettingError, match=r"NOTIFIER_DATABASE_URL: .*sslmod"):
        make_engine(f"{PG}h/d?sslmod=require")


def test_a_file_whose_folder_cannot_be_made_is_one_line(tmp_path: object) -> None:
    with pytest.raises(SettingError, match="NOTIFIER_DATABASE_URL: "):
        make_engine("sqlite:////proc/nowhere/notifier.db")
