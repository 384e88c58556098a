"""Who is asked before what, as the configuration has it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.config import AgentConfig, ConfigError, load
from agent.disk import SystemDisk
from agent.local.parts import LocalParts, consent_moments, window_moments
from agent.pace import Timing
from agent.permit.answers import Said
from agent.permit.permission import ALLOWED, Facts, Later, Moment
from agent.update.record import Update, Waiting
from tests.agent.test_config import LEAST

FACTS = Facts("job-1", "ab", "gateway", "2.0.0", 2, "a", "b")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = '[window]\nstart = "03:00"\nend = "04:00"\n'


def configured(folder: Path, more: str) -> AgentConfig:
    """The least configuration and `more`."""
    (folder / "agent.toml").write_text(f'{LEAST}\n[state]\ndirectory = "."\n{more}')
    return load(folder / "agent.toml")


@pytest.mark.parametrize(
    ("more", "consent", "window"),
    [
        ("", [], ["install"]),
        ('[consent]\nrequired = ["download"]', ["download"], ["install"]),
        (WINDOW, [], ["install"]),
        (WINDOW + "download = true", [], ["download", "install"]),
        (WINDOW + '[reboot]\nwhen = "in the window"', [], ["install"]),
        (WINDOW + '[reboot]\nwhen = "at once"', [], []),
        (WINDOW + 'download = true\n[reboot]\nwhen = "at once"', [], ["download"]),
        ('[reboot]\nwhen = "by the application"', ["install"], []),
        (WINDOW + '[reboot]\nwhen = "by the application"', ["install"], []),
    ],
)
def test_what_waits_for_whom(tmp_path: Path, more, consent, window):
    """The reboot policy decides about the restart; without one the window does, where there is one."""
    config = configured(tmp_path, more)

    assert sorted(consent_moments(config)) == consent
    assert sorted(window_moments(config)) == window


def test_a_restart_in_a_window_that_is_none(tmp_path: Path):
    """Is refused when the configuration is read."""
    with pytest.raises(ConfigError) as refusal:
        configured(tmp_path, '[reboot]\nwhen = "in the window"')
    assert str(refusal.value) == (
        f"{tmp_path}/agent.toml: reboot.when is 'in the window', and there is no window; add the table [window]"
    )


def test_people_are_asked_before_the_window(tmp_path: Path):
    """So that they hear of the update in the day, and it can go on in the night."""
    config = configured(tmp_path, f'[consent]\nrequired = ["install"]\n{WINDOW}')
    parts = LocalParts(config, SystemDisk(), Timing(), lambda: NOON)
    permission = parts.permission()

    assert permission.ask(Moment.DOWNLOAD, FACTS) == ALLOWED
    assert permission.ask(Moment.INSTALL, FACTS).by == "consent"
    update = Update("job-1", "ab", waiting=Waiting(Moment.INSTALL, "consent", "nobody"))
    parts.spokesman(lambda: update).say(Said.YES)
    assert parts.stirred()
    assert not parts.stirred()
    assert permission.ask(Moment.INSTALL, FACTS) == Later("window", "opens Mon 2026-03-02 03:00 UTC", 15 * 3600)


def test_energy_and_room_are_asked_for(tmp_path: Path):
    """Where the configuration does."""
    (tmp_path / "BAT0").mkdir()
    (tmp_path / "BAT0" / "type").write_text("Battery")
    (tmp_path / "BAT0" / "capacity").write_text("5")
    power = configured(tmp_path, '[power]\nleast_percent = 50\nsupplies = "."')
    space = configured(tmp_path, f'[space]\ndirectory = "."\nleast_bytes = {2**60}')

    for config, by in ((power, "power"), (space, "space")):
        answer = LocalParts(config, SystemDisk(), Timing(), lambda: NOON).permission().ask(Moment.DOWNLOAD, FACTS)
        assert isinstance(answer, Later)
        assert answer.by == by
