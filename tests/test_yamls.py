"""A student's YAML: values with their lines, and one sentence for whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import yamls
from grader.errors import SubmissionError

TEXT = b"""\
# a comment
services:
  web:
    image: "x"
    ports:
      - 80
      - target: 81
        mode: host
    user: 010
    on: yes
"""


def test_values_are_those_of_a_safe_loader() -> None:
    web = yamls.parse(TEXT, "compose.yaml").data["services"]["web"]
    assert web["ports"] == [80, {"target": 81, "mode": "host"}]
    assert web["image"] == "x"
    assert web["user"] == 8  # YAML 1.1's octal, as Compose reads it
    assert web["on"] is True


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (("services",), 2),
        (("services", "web", "image"), 4),
        (("services", "web", "ports", 0), 6),
        (("services", "web", "ports", 1), 7),
        (("services", "web", "ports", 1, "mode"), 8),
        (("services", "web", "nope"), 3),  # the nearest one around it
        (("nope",), 2),
    ],
)
def test_each_key_knows_its_line(where: tuple[str | int, ...], line: int) -> None:
    assert yamls.parse(TEXT, "compose.yaml").line(*where) == line


def test_documents_are_told_apart() -> None:
    doc = yamls.parse(b"a: 1\n---\n---\nb: 2\n", "x.yaml")
    assert doc.documents in (({"a": 1}, {"b": 2}), ({"a": 1}, None, {"b": 2}))
    assert doc.line("b", document=len(doc.documents) - 1) == 4


def test_a_merge_key_is_followed() -> None:
    doc = yamls.parse(b"base: &b {a: 1, c: 3}\nx:\n  <<: *b\n  a: 2\n", "x.yaml")
    assert doc.data["x"] == {"a": 2, "c": 3}


def test_an_empty_file_has_no_data() -> None:
    assert yamls.parse(b"# nothing\n", "x.yaml").data is None


def bomb() -> bytes:
    rows = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 9)]
    return b"\n".join(rows)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"a: [1", r"line \d+: not valid YAML"),
        (b"a: 1\na: 2\n", "line 2: the key 'a' stands twice"),
        (b"? [1, 2]\n: 3\n", "line 1: a key must be plain text"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a: \x00\n", "not valid YAML"),
        (b"a: !!python/name:os.system x\n", "not valid YAML"),
        (b"[" * 3000, "nested too deeply|not valid YAML"),
        (b"a: &a [*a]\n", "not valid YAML|more than|nested too deeply"),
        (bomb(), "more than 20000 values"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(raw: bytes, words: str) -> None:
    with pytest.raises(SubmissionError, match=words):
        yamls.parse(raw, "deploy.yaml")


@pytest.mark.parametrize(
    ("size", "fine"), [(yamls.MOST_BYTES, True), (yamls.MOST_BYTES + 1, False)]
)
def test_a_huge_file_is_not_read(tmp_path: Path, size: int, *, fine: bool) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\n#".ljust(size, b"x"))
    if fine:
        assert yamls.read(path).data == {"a": 1}
    else:
        with pytest.raises(SubmissionError, match="more than 200 kB"):
            yamls.read(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"compose\.yaml cannot be read"):
        yamls.read(tmp_path / "compose.yaml")
