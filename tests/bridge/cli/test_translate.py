"""`otabridge translate`: commands made from what an adapter declares, whatever the cloud."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Annotated, Literal

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from bridge.cli.translate import Command
from bridge.errors import UsageError
from bridge.translation import NamedFile, read_options
from tests.releases import ReleaseKit

RAW = b'{"a": 1 }'


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of a cloud that nobody has."""

    crater: Annotated[str, msgspec.Meta(min_length=3, description="Where it lands.")]
    made: Annotated[datetime, msgspec.Meta(tz=True, description="When.")]
    far_side: Annotated[tuple[str, ...], msgspec.Meta(description="May be repeated.")] = ()
    file: Annotated[tuple[NamedFile, ...], msgspec.Meta(description="A file.")] = ()
    hours: Annotated[int, msgspec.Meta(description="How long.")] = 24
    side: Annotated[Literal["near", "far"] | None, msgspec.Meta(description="Which.")] = None


class Moon:
    """A cloud's translation that tells what it was given."""

    Options = Options

    def translate(self, release: bytes | None, roots: tuple[bytes, ...], options: Mapping[str, object]):
        chosen = read_options("moon", options, Options)
        given = {"release": release is not None, "roots": len(roots), "options": chosen}
        return {"document": msgspec.Raw(RAW), "given": given}

    def check(self, text: bytes) -> tuple[str, ...]:
        if text == b"strange":
            raise UsageError("of another world")
        return () if text == b"good" else ("a: 1; too few", "b: 2; too many")


@pytest.fixture
def translate(monkeypatch, tmp_path):
    """Runs `translate moon`; what it raises is raised."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer(rich_markup_mode=None)
    app.command(name="moon")(Command("moon", Moon()))

    def run(*words: str) -> SimpleNamespace:
        result = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
        return SimpleNamespace(code=result.exit_code, out=result.stdout, all=result.output)

    return run


def given(result: SimpleNamespace) -> dict[str, object]:
    """What the adapter was given."""
    assert result.code == 0, result.all
    return json.loads(result.out)


def test_every_option_of_the_cloud_is_one_of_the_command(translate):
    """With the words that its adapter has for it."""
    shown = re.sub(r"\s+", " ", translate("--help").out)

    for name, words in (("--crater", "Where it lands."), ("--far-side", "May be repeated."), ("--check", "Hold this")):
        assert name in shown
        assert words in shown


def test_values_reach_the_adapter_as_they_should_be(translate, tmp_path):
    """Numbers as numbers, repeated ones together, files with their digests, defaults where nothing was said."""
    (tmp_path / "app.bin").write_bytes(b"an app")
    words = ("--crater", "Tycho", "--far-side", "a", "--far-side", "b", "--hours", "5", "--file", tmp_path / "app.bin")

    told = given(translate(*words, "--made", "1969-07-20T20:17:40Z", "--only", "given"))

    assert (told["release"], told["roots"]) == (False, 0)
    assert told["options"] == {
        "crater": "Tycho",
        "made": "1969-07-20T20:17:40Z",
        "far_side": ["a", "b"],
        "file": [{"name": "app.bin", "size": 6, "sha256": hashlib.sha256(b"an app").hexdigest()}],
        "hours": 5,
        "side": None,
    }


def test_a_time_that_is_left_out_is_now(translate):
    """The adapter has no clock."""
    told = given(translate("--crater", "Tycho", "--only", "given"))

    assert abs(datetime.now(UTC) - datetime.fromisoformat(told["options"]["made"])).total_seconds() < 3600


def test_a_release_comes_with_the_roots_of_the_trust_folder(translate, tmp_path):
    """All but the first, which devices have; the folder here is taken unasked."""
    owner = ReleaseKit(root_keys=(1, 1), release_keys=(1, 1))
    owner.rotate()
    (tmp_path / "trust").mkdir()
    for number, root in enumerate(owner.roots, start=1):
        (tmp_path / "trust" / f"{number}.root.json").write_bytes(root)
    (tmp_path / "release.json").write_bytes(b"{}")

    told = given(translate(tmp_path, "--crater", "Tycho", "--only", "given"))

    assert (told["release"], told["roots"]) == (True, 1)


@pytest.mark.parametrize("more", [(), ("-o", "json")])
def test_a_part_whose_digest_counts_is_printed_to_the_byte(translate, more):
    """Not a space or a line feed more or less, in whatever form the rest is asked for."""
    assert translate("--crater", "Tycho", "--only", "document", *more).out.encode() == RAW


def test_all_parts_together(translate):
    """One after the other for people, one object for programs."""
    text = translate("--crater", "Tycho").out
    document, end = json.JSONDecoder().raw_decode(text)

    assert document == {"a": 1}
    assert json.loads(text[end:])["options"]["crater"] == "Tycho"
    assert set(given(translate("--crater", "Tycho", "-o", "json"))) == {"document", "given"}


MISUSE = [
    ((), "translate moon: --crater is missing"),
    (("--crater", "x"), "translate moon: --crater is 'x': expected `str` of length >= 3"),
    (("--crater", "Tycho", "--side", "dark"), "translate moon: --side is 'dark': invalid enum value 'dark'"),
    (("--crater", "Tycho", "--file", "none"), "--file none cannot be read: No such file or directory"),
    (("--crater", "Tycho", "--file", "a/x", "--file", "b/x"), "--file: two of the files are named 'x'"),
    (("--crater", "Tycho", "--only", "roots"), "there is no 'roots' with these options; there is document, given"),
    (("no-release", "--crater", "Tycho"), "release no-release cannot be read"),
]


@pytest.mark.parametrize(("words", "message"), MISUSE)
def test_misuse_is_explained(translate, words, message):
    """With the option as it is written on the command line."""
    with pytest.raises(UsageError, match=message):
        translate(*words)


def test_an_option_that_only_a_program_can_get_wrong_is_explained():
    """What the structure does not know, with what there is."""
    with pytest.raises(
        UsageError, match="translate moon: --cheese is no option; there are --crater, --made, --far-side"
    ):
        read_options("moon", {"cheese": 1}, Options)


def test_a_file_is_held_against_the_clouds_limits(translate, tmp_path):
    """Sound, with every fault, or something else altogether."""
    file = tmp_path / "theirs.json"
    file.write_bytes(b"good")
    assert given(translate("--check", file, "-o", "json")) == {"file": str(file), "broken": []}

    file.write_bytes(b"bad")
    with pytest.raises(UsageError) as faults:
        translate("--check", file)
    assert str(faults.value) == f"{file}: limits of moon that it breaks: 2\n  a: 1; too few\n  b: 2; too many"

    file.write_bytes(b"strange")
    with pytest.raises(UsageError, match=r"theirs\.json: of another world"):
        translate("--check", file)


def test_an_option_of_another_cloud_is_refused(otabridge):
    """Exit code 2, and its name."""
    ran = otabridge("translate", "azure", "--bucket", "b")

    assert ran.exit_code == 2
    assert "No such option: --bucket" in ran.err


def test_a_cloud_that_is_not_there_is_refused(otabridge):
    """Exit code 2; the help lists those that are."""
    ran = otabridge("translate", "gcp")

    assert ran.exit_code == 2
    assert "No such command 'gcp'" in ran.err
    shown = otabridge("translate", "--help").out
    assert [cloud for cloud in ("aws", "azure") if cloud not in shown] == []
