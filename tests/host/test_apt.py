from __future__ import annotations

from pathlib import Path

import pytest

from grader.errors import EngineError
from grader.host import apt, packages
from grader.host.apt import Apt, Source, archive, codename, deb822, one_line, resolve, sources

DEB822 = """\
# the machine's own
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb-src
URIs: http://mirror.example/sources
Suites: bookworm
Components: main

Types: deb
Enabled: no
URIs: http://mirror.example/off
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb http://m/debian bookworm main", [Source("http://m/debian", "bookworm", ("main",))]),
        (
            "deb [arch=amd64 signed-by=/k.gpg] http://m/d bookworm main contrib # note",
            [Source("http://m/d", "bookworm", ("main", "contrib"), "/k.gpg")],
        ),
        ("deb-src http://m/d bookworm main", []),
        ("# deb http://m/d bookworm main", []),
        ("", []),
        ("deb http://m/d", []),
    ],
)
def test_the_one_line_format_is_read(line: str, expected: list[Source]) -> None:
    assert list(one_line(line)) == expected


def test_the_stanza_format_is_read() -> None:
    found = [(source.uri[22:], source.suite, source.signed_by) for source in deb822(DEB822)]
    assert found == [
        ("debian", "bookworm", "/usr/share/keyrings/debian.gpg"),
        ("debian", "bookworm-updates", "/usr/share/keyrings/debian.gpg"),
        ("security", "bookworm-security", ""),
    ]


def test_both_formats_are_found_in_a_machines_etc(tmp_path: Path) -> None:
    parts = tmp_path / "apt/sources.list.d"
    parts.mkdir(parents=True)
    (tmp_path / "apt/sources.list").write_text("deb http://a/debian bookworm main\n")
    (parts / "b.list").write_text("deb http://b/debian bookworm main\n")
    (parts / "c.sources").write_text(DEB822)
    (parts / "d.list.disabled").write_text("deb http://d/debian bookworm main\n")
    assert {source.uri for source in sources(tmp_path)} == {
        "http://a/debian",
        "http://b/debian",
        "http://mirror.example/debian",
        "http://mirror.example/security",
    }


def test_a_mirror_list_is_followed_and_a_cdrom_is_not(tmp_path: Path) -> None:
    listing = tmp_path / "mirrors.list"
    listing.write_text("http://first/debian\nhttp://second/debian\n")
    followed = resolve(Source(f"mirror+file:{listing}", "bookworm", ("main",)))
    assert followed == Source("http://first/debian", "bookworm", ("main",))
    assert resolve(Source("cdrom:[Debian]/", "bookworm", ("main",))) is None
    assert resolve(Source(f"mirror+file:{tmp_path}/none", "bookworm", ("main",))) is None


def test_the_archive_is_the_one_with_the_suite_and_main() -> None:
    found = [
        Source("http://a", "bookworm", ("contrib",)),
        Source("http://b", "bookworm-updates", ("main",)),
        Source("http://c", "bookworm", ("main",)),
    ]
    assert archive(found, "bookworm") == found[2]
    assert archive(found, "trixie") is None


def test_a_line_names_another_suite_and_keyring_where_asked() -> None:
    source = Source("http://m/d", "bookworm", ("main",), "/old.gpg")
    assert source.line() == "deb [signed-by=/old.gpg] http://m/d bookworm main"
    expected = "deb [signed-by=/new.gpg] http://m/d trixie main"
    assert source.line(suite="trixie", signed_by="/new.gpg") == expected


def test_only_debians_own_archives_are_asked_for_the_engine() -> None:
    known = [
        Source("http://m/debian", "bookworm", ("main",), "/k.gpg"),
        Source("http://m/security", "bookworm-security", ("main", "contrib"), "/k.gpg"),
        Source("http://third.example/linux", "bookworm", ("stable",), "/third.gpg"),
        Source("http://pg.example/apt", "bookworm-pgdg", ("main",), "/pg.gpg"),
        Source("http://m/debian", "bookworm-backports", ("main",), "/k.gpg"),
    ]
    assert packages.native_lines(known, "bookworm") == [
        "deb [signed-by=/k.gpg] http://m/debian bookworm main",
        "deb [signed-by=/k.gpg] http://m/security bookworm-security main contrib",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ID=debian\nVERSION_CODENAME="bookworm"\n', "bookworm"),
        ("VERSION_CODENAME=trixie", "trixie"),
        ("ID=debian\n", ""),
    ],
)
def test_the_codename_is_read_from_os_release(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "os-release").write_text(text)
    assert codename(tmp_path) == expected


def test_lists_are_fetched_again_only_when_old_or_of_other_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Apt, "get", lambda *words, **_: calls.append(words[1]))
    first, other = Apt(tmp_path, ("deb a",)), Apt(tmp_path, ("deb b",))
    first.update()
    first.update()
    assert calls == ["update"]
    other.update()
    assert calls == ["update"] * 2
    monkeypatch.setattr(apt, "FRESH_S", 0)
    other.update()
    assert calls == ["update"] * 3


def test_a_failed_update_is_not_taken_for_a_fresh_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> str:
        raise EngineError("no network")

    monkeypatch.setattr(Apt, "get", fail)
    mine = Apt(tmp_path, ("deb a",))
    for _ in range(2):
        with pytest.raises(EngineError, match="no network"):
            mine.update()


def test_the_systems_hooks_are_cleared_from_our_apt(tmp_path: Path) -> None:
    text = Apt(tmp_path, ())._conf()
    assert "#clear APT::Update;" in text
    assert f'Dir::State::Lists "{tmp_path}/lists"' in text


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sh", "-c", "echo 'E: Unable to locate package x' >&2; exit 100"], "Unable to locate"),
        (["no-such-program-at-all"], "is not on this machine"),
    ],
)
def test_a_package_tools_own_words_are_in_the_error(command: list[str], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        apt.run(command, what="it")


def test_a_folder_appears_only_when_every_package_was_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def unpack_one(command: list[str], **_: object) -> str:
        if "broken" in command[2]:
            raise EngineError("unpacking broken.deb failed")
        (Path(command[3]) / Path(command[2]).stem).touch()
        done.append(command[2])
        return ""

    monkeypatch.setattr(apt, "run", unpack_one)
    with pytest.raises(EngineError):
        apt.unpack([Path("good.deb"), Path("broken.deb")], tmp_path / "engine")
    assert not (tmp_path / "engine").exists()
    apt.unpack([Path("good.deb"), Path("fine.deb")], tmp_path / "engine")
    assert sorted(path.name for path in (tmp_path / "engine").iterdir()) == ["fine", "good"]
    assert not (tmp_path / "engine.part").exists()
