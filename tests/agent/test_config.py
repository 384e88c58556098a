"""The agent's configuration: what it means, and what a person reads when it is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.config import MAX_CONFIG_BYTES, AgentConfig, ConfigError, load
from agent.proof.checks import Check

LEAST = """
[device]
model = "gateway-3"
hardware = "r2"

[slots]
boot_loader = "file"
directory = "slots"

[trust]
root = "root.json"

[channel]
cloud = "aws"
"""
BOTH = (
    LEAST.replace('cloud = "aws"', 'clouds = ["aws", "azure"]')
    + """
[channel.aws]
key_file = "aws.key"

[channel.azure]
key_file = "azure.key"
"""
)
REFERENCE = Path(__file__).parents[2] / "docs/reference/agent-config.md"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The least configuration."""
    path = tmp_path / "agent.toml"
    path.write_text(LEAST)
    return path


def test_defaults(file: Path):
    """A short file is enough: state, health and reboot have defaults that fit a board with systemd."""
    config = load(file)

    assert config.state.directory == Path("/var/lib/otabridge")
    assert (config.health.settle_seconds, config.health.deadline_seconds) == (60.0, 900.0)
    assert config.reboot.command == ("systemctl", "reboot")
    assert config.download.rate_limit is None
    assert not config.download.allow_http
    assert config.download.memory == 64 << 20
    assert (config.download.metered, config.download.metered_command) == ("no", None)
    assert config.download.full_over_metered


def test_paths_start_from_the_file(file: Path, monkeypatch: pytest.MonkeyPatch):
    """Relative paths mean the same from whichever folder the agent is started."""
    file.write_text(LEAST + '[channel.aws]\nkey_file = "keys/key.pem"\nca_file = "/etc/ca.pem"\nthing = "device-1"\n')
    monkeypatch.chdir(file.parent)
    config = load(Path("agent.toml"))

    assert config.trust.root == file.parent / "root.json"
    assert config.slots.directory == file.parent / "slots"
    assert config.channel.tables["aws"] == {
        "key_file": str(file.parent / "keys/key.pem"),
        "ca_file": "/etc/ca.pem",
        "thing": "device-1",
    }


def test_several_clouds(file: Path):
    """Each cloud has its own table, whose paths start from the file, too."""
    file.write_text(BOTH)
    channel = load(file).channel

    assert channel.names == ("aws", "azure")
    assert channel.tables == {
        "aws": {"key_file": str(file.parent / "aws.key")},
        "azure": {"key_file": str(file.parent / "azure.key")},
    }


def test_everything(file: Path):
    """Every table can be given."""
    file.write_text(
        LEAST
        + """
[download]
rate_limit = 250000
ca_file = "ca.pem"
proxies = { https = "http://proxy:3128", no = "localhost" }

[health]
settle_seconds = 5

[[health.checks]]
name = "net"
command = ["ping", "-c1", "broker"]

[reboot]
command = []
"""
    )
    config = load(file)

    assert config.download.ca_file == file.parent / "ca.pem"
    assert config.download.proxies is not None
    assert config.download.proxies.by_scheme() == {"https": "http://proxy:3128", "no": "localhost"}
    assert [(check.name, check.command, check.retries) for check in config.health.checks] == [
        ("net", ("ping", "-c1", "broker"), 12)
    ]
    assert config.reboot.command == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LEAST.replace('model = "gateway-3"', ""), "device.model is missing"),
        ("", "device is missing"),
        (LEAST + "[extra]", "extra is no field; there are: device, slots, trust, channel, state, download, health"),
        (LEAST + "[download]\nspeed = 5", "download.speed is no field; there are: rate_limit, spread_seconds,"),
        (LEAST + "[download]\nspread_seconds = 90000", "download.spread_seconds is 90000: expected `float` <= 86400.0"),
        (LEAST + "[download]\nkey_file = 'x'", "download: certificate_file is missing; a store that asks for a"),
        (LEAST + "[download]\nrate_limit = 'fast'", "download.rate_limit is 'fast': expected `int`, got `str`"),
        (LEAST + "[download]\nrate_limit = 5", "download.rate_limit is 5: expected `int` >= 1024"),
        (LEAST + "[download]\nmemory = 1000", "download.memory is 1000: expected `int` >= 16777216"),
        (LEAST + "[download]\nmetered = 'maybe'", "download.metered is 'maybe': invalid enum value 'maybe'"),
        (LEAST + "[download]\nmetered_command = []", "download.metered_command is []: expected `array` of length >= 1"),
        (LEAST + "[download]\nread_seconds = 0", "download.read_seconds is 0: expected `float` > 0.0"),
        (LEAST + "[download.proxies]\nftp = 'x'", "download.proxies.ftp is no field; there are: http, https, no"),
        (LEAST + "[state]\ndirectory = 7", "state.directory is 7: expected the path of a file or folder"),
        (LEAST.replace('"root.json"', '""'), "trust.root is '': expected the path of a file or folder"),
        (
            LEAST + "[[health.checks]]\nname = 'a'\ncommand = []",
            "health.checks[0].command is []: expected `array` of length >= 1",
        ),
        (
            LEAST + "[[health.checks]]\nname = 'a'\ncommand = ['x']\ntimout = 1",
            "health.checks[0].timout is no field; there are: name, command, unit, http, cloud, retries",
        ),
        (
            LEAST + "[[health.checks]]\nname = 'a'\ncommand = ['x']\n" * 2,
            "health: two checks have the name 'a'",
        ),
        (
            LEAST + "[[health.checks]]\nname = 'a'",
            "health.checks[0]: check 'a' needs exactly one of command, unit, http, cloud; it has none",
        ),
        (
            LEAST + "[[health.checks]]\nname = 'a'\nunit = 'x.service'\ncloud = true",
            "health.checks[0]: check 'a' needs exactly one of command, unit, http, cloud; it has unit and cloud",
        ),
        (LEAST + "[[health.checks]]\nname = 'a'\ncloud = false", "check 'a': cloud = false checks nothing; write true"),
        (LEAST + "[[health.checks]]\nname = 'a'\ncloud = 'aws'", "health.checks[0].cloud is 'aws': invalid enum value"),
        (
            LEAST + "[[health.checks]]\nname = 'a'\nunit = 'sshd'",
            "health.checks[0].unit is 'sshd': expected `str` match",
        ),
        (
            LEAST + "[[health.checks]]\nname = 'a'\nhttp = { url = 'ftp://x' }",
            "health.checks[0].http.url is 'ftp://x': expected `str` matching regex",
        ),
        (
            LEAST + "[[health.checks]]\nname = 'a'\nhttp = { url = 'http://[::1/' }",
            "health.checks[0].http: url 'http://[::1/' is no URL: Invalid IPv6 URL",
        ),
        (
            LEAST + "[[health.checks]]\nname = 'a'\nhttp = { url = 'http://x:port/' }",
            "health.checks[0].http: url 'http://x:port/' is no URL: Port could not be cast",
        ),
        (
            LEAST + "[[health.checks]]\nname = 'a'\nhttp = { url = 'http://x', state = 200 }",
            "health.checks[0].http.state is no field; there are: url, status, contains, ca_file",
        ),
        (LEAST + "[health]\nquarantine_after = 0", "health.quarantine_after is 0: expected `int` >= 1"),
        (
            LEAST + "[watchdog]\ndevice = '/dev/watchdog0'\nowner = 'systemd'",
            'watchdog: device /dev/watchdog0 is systemd\'s with owner = "systemd": leave one of the two out',
        ),
        (LEAST + "[watchdog]\ntimeout_seconds = 5", "watchdog.timeout_seconds is 5: expected `int` >= 10"),
        (
            LEAST + "[watchdog]\nidle_timeout_seconds = 60",
            "watchdog.idle_timeout_seconds is 60: expected `int` >= 1200",
        ),
        (
            LEAST + "[health]\nsettle_seconds = 900",
            "health: settle_seconds 900 must be less than deadline_seconds 900",
        ),
        (LEAST + "[reboot]\ncommand = 'reboot'", "reboot.command is 'reboot': expected `array`, got `str`"),
        (
            LEAST + "[channel.azure]\nhub = 'secret'",
            "channel.azure is not understood; beside channel.cloud = 'aws' there is one table, [channel.aws]",
        ),
        (LEAST + "aws = 5", "channel.aws is not understood"),
        (LEAST.replace('cloud = "aws"', "cloud = 5"), "channel.cloud is 5: expected `str`, got `int`"),
        (LEAST.replace('cloud = "aws"', "x = 5"), "channel.x is no field; there are: cloud"),
        (LEAST.replace('cloud = "aws"', "[channel.aws]"), "channel: no cloud is named; write either cloud ="),
        (LEAST + "clouds = ['aws', 'azure']", "channel: both cloud and clouds are given; write either cloud ="),
        (
            BOTH.partition("[channel.azure]")[0],
            "channel.azure is missing; channel.clouds = ['aws', 'azure'] needs a table",
        ),
        (BOTH + "[channel.moon]\nhub = 'secret'", "channel.moon is not understood; beside channel.clouds = ['aws', "),
        (
            LEAST.replace('cloud = "aws"', 'clouds = ["aws", "azure"]\naws = 5\nazure = 6'),
            "there is one table for each, [channel.aws], [channel.azure]",
        ),
        (BOTH.replace('["aws", "azure"]', '["aws", "aws"]'), "channel.azure is not understood"),
        (LEAST.replace('cloud = "aws"', 'clouds = ["aws", "aws"]\n[channel.aws]'), "clouds names one twice: aws, aws"),
        (LEAST.replace('cloud = "aws"', "clouds = []"), "channel.clouds is []: expected `array` of length >= 1"),
        (LEAST.replace('cloud = "aws"', "clouds = 'aws'"), "channel.clouds is 'aws': expected `array`, got `str`"),
        (LEAST.replace('cloud = "aws"', "clouds = [5]"), "channel.clouds[0] is 5: expected `str`, got `int`"),
        ("[device\n", "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 8)"),
        ("x = '\udcff'", "is not TOML: 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_refusals(file: Path, text: str, message: str):
    """Each mistake is one sentence that names the file, the field, its value, and what would be right."""
    file.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(ConfigError) as refusal:
        load(file)
    assert str(refusal.value).startswith(f"{file}")
    assert message in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_missing_file(tmp_path: Path):
    """Without a file the message says where another can be named."""
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path / "none.toml")
    assert str(refusal.value) == (
        f"{tmp_path}/none.toml cannot be read (No such file or directory); write it as "
        "docs/reference/agent-config.md says, or name another file with --config or OTABRIDGE_AGENT_CONFIG"
    )


def test_large_file(file: Path):
    """An image given by mistake is not read into memory."""
    file.write_bytes(b"#" * (MAX_CONFIG_BYTES + 1))

    with pytest.raises(ConfigError, match="is larger than 65536 bytes: is it the right file"):
        load(file)


def fields(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every field of the configuration with its dotted name and default."""
    for field in msgspec.structs.fields(kind):
        name = f"{prefix}{field.encode_name}"
        nested = [part for part in (field.type, *getattr(field.type, "__args__", ())) if isinstance(part, type)]
        inner = next((part for part in nested if issubclass(part, msgspec.Struct)), None)
        if inner is not None:
            yield from fields(inner, f"{name}.")
        else:
            yield name, field.default


def test_reference_is_complete():
    """The reference names exactly the fields that there are."""
    documented = set(re.findall(r"^\| `([a-z_.-]+)` \|", REFERENCE.read_text(), re.MULTILINE))
    real = {name for name, _ in fields(AgentConfig) if name not in {"channel.tables", "health.checks", "handlers"}}
    real |= {name for name, _ in fields(Check, "health.checks.")}

    assert documented == real


def test_example_in_the_reference_loads(tmp_path: Path):
    """The example can be copied as it stands."""
    example = re.search(r"```toml\n(.*?)```", REFERENCE.read_text(), re.DOTALL)
    assert example is not None
    path = tmp_path / "agent.toml"
    path.write_text(example[1])

    assert load(path).channel.cloud == "aws"
