"""Where the store is: what the configuration may say, and that a password is shown to nobody."""

from __future__ import annotations

import traceback

import pytest

from bridge.config import read_config
from bridge.errors import StoreError, UsageError
from bridge.store import postgres
from bridge.store.store import Store

SECRET = "hunter2"  # what no message may hold


def configured(tmp_path, text: str):
    """The store that a file with `text` names."""
    file = tmp_path / "otabridge.toml"
    file.write_text(text)
    return read_config(file).store


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch) -> None:
    monkeypatch.delenv("OTABRIDGE_STORE_URL", raising=False)


def test_a_path_counts_from_the_file(tmp_path):
    """Also the one that holds when nothing is said."""
    assert configured(tmp_path, '[store]\npath = "state/a.db"') == tmp_path / "state/a.db"
    assert configured(tmp_path, "[store]") == configured(tmp_path, "") == tmp_path / "otabridge.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_url_names_a_database(tmp_path, scheme):
    """As it stands."""
    assert configured(tmp_path, f'[store]\nurl = "{scheme}://ada@db/otabridge"') == f"{scheme}://ada@db/otabridge"


@pytest.mark.parametrize("text", ["", '[store]\npath = "a.db"', '[store]\nurl = "postgresql://other/db"'])
def test_the_environment_overrides_the_file(tmp_path, monkeypatch, text):
    """So that the password need not stand in it; an empty variable is none."""
    monkeypatch.setenv("OTABRIDGE_STORE_URL", "postgresql://ada:pw@db/otabridge")
    assert configured(tmp_path, text) == "postgresql://ada:pw@db/otabridge"

    monkeypatch.setenv("OTABRIDGE_STORE_URL", "")
    assert configured(tmp_path, text) != ""


WRONG = {
    "both": (
        f'path = "a.db"\nurl = "postgresql://ada:{SECRET}@db"',
        "otabridge.toml: store: give `path` or `url`, not both: a store is in one place",
    ),
    "another database": (
        f'url = "mysql://ada:{SECRET}@db"',
        "otabridge.toml: store.url must begin with postgresql+psycopg://; for a SQLite file give store.path",
    ),
    "a list": (
        f'url = ["postgresql://ada:{SECRET}@db"]',
        "otabridge.toml: store.url: expected `str`, got `array`",
    ),
    "nothing": ('url = ""', "otabridge.toml: store.url: expected `str` of length >= 1"),
    "an empty path": ('path = ""', "otabridge.toml: store.path: expected `str` of length >= 1 (it is '')"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_place_is_refused_by_field(tmp_path, case):
    """One sentence; the value of a URL is not in it."""
    text, message = WRONG[case]

    with pytest.raises(UsageError) as refusal:
        configured(tmp_path, f"[store]\n{text}\n")

    assert message in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_a_wrong_variable_is_refused_by_name(tmp_path, monkeypatch):
    """It is not in the file."""
    monkeypatch.setenv("OTABRIDGE_STORE_URL", f"mysql://ada:{SECRET}@db")

    with pytest.raises(UsageError, match=r"^OTABRIDGE_STORE_URL must begin with postgresql\+psycopg://"):
        configured(tmp_path, "")


UNUSABLE = {
    "another database": (f"mysql://ada:{SECRET}@db/x", "the store's URL is none of PostgreSQL"),
    "another driver": (f"postgresql+psycopg2://ada:{SECRET}@db/x", "the store's URL is none of PostgreSQL"),
    "a port in words": (f"postgresql://ada:{SECRET}@db:{SECRET}/x", "the store's URL is none of PostgreSQL"),
    "a bare @ in the password": (f"postgresql://ada:x@{SECRET}@db/x", "with @ : / ? in user and password written as"),
    "a closed port": (f"postgresql://ada:{SECRET}@127.0.0.1:1/x", "PostgreSQL database x on 127.0.0.1:1: connection"),
    "no socket": (f"postgresql://ada:{SECRET}@/x?host=/nowhere", "PostgreSQL database x on /nowhere: connection"),
    "a password elsewhere": (f"postgresql://127.0.0.1:1/?password={SECRET}", "PostgreSQL database by default on 127"),
    "a setting of another": (
        f"postgresql://ada:{SECRET}@127.0.0.1:1/x?colour=red",
        'invalid connection option "colour"',
    ),
    "a setting with a wrong value": (
        f"postgresql://ada:{SECRET}@127.0.0.1:1/x?sslmode=maybe",
        'sslmode value: "maybe"',
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_url_that_leads_nowhere_is_a_sentence(case):
    """It names the database, and holds the password nowhere: not in what caused it either."""
    url, message = UNUSABLE[case]

    with pytest.raises(StoreError) as refusal:
        Store(url)

    assert message in str(refusal.value)
    assert SECRET not in "".join(traceback.format_exception(refusal.value))


def test_a_password_that_is_refused_is_not_shown(shared_server):
    """The sentence is the server's."""
    with pytest.raises(StoreError, match=r"PostgreSQL database nothing on .* does not exist") as refusal:
        Store(f"postgresql://ada:{SECRET}@/nothing?host={shared_server.socket.parent}")

    assert SECRET not in "".join(traceback.format_exception(refusal.value))


def test_a_missing_driver_says_what_to_install(monkeypatch):
    """PostgreSQL is an extra."""

    def missing(*_, **__):
        raise ModuleNotFoundError("No module named 'psycopg'")

    monkeypatch.setattr(postgres.sa, "create_engine", missing)

    with pytest.raises(StoreError, match=r"needs the driver psycopg: pip install 'otabridge\[postgres\]'"):
        Store("postgresql://ada@db/x")
