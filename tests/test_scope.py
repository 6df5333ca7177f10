"""What each line of a Dockerfile knows of its build arguments; and what two images differ in."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

pytest.importorskip("matplotlib")

from pathlib import Path

from grader import plots
from grader.differences import MOST, Difference, compare
from grader.dockerfile import Dockerfile
from grader.engine import Image
from grader.flavours import Flavour
from grader.scope import names, readings

GIVEN = {"E": "dev"}


def last(text: str, given: Mapping[str, str] = GIVEN) -> Mapping[str, str]:
    """What the last line knows."""
    return list(readings(Dockerfile.parse(text.encode()), given))[-1].values


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("ARG E=prod\nFROM a\nRUN x", {}),
        ("ARG E=prod\nFROM a\nARG E\nRUN x", {"E": "dev"}),
        ("FROM a\nARG E=prod\nRUN x", {"E": "dev"}),
        ("FROM a\nRUN x\nARG E=prod", {"E": "dev"}),
        ("FROM a\nRUN x", {}),
        ("FROM a AS b\nARG E\nFROM c\nRUN x", {}),
        ("FROM a AS b\nARG E\nFROM b\nRUN x", {"E": "dev"}),
        ("ARG F=1\nFROM a\nARG F\nRUN x", {"F": "1"}),
        ("ARG F=1\nFROM a\nARG F=2\nRUN x", {"F": "2"}),
        ("FROM a\nARG F\nRUN x", {}),
        ("FROM a\nARG F='a b'\nRUN x", {"F": "a b"}),
        ("FROM a\nARG E\nARG F=$E-1\nRUN x", {"E": "dev", "F": "dev-1"}),
        ("FROM a\nARG E\nENV E=x\nRUN x", {"E": "x"}),
        ("FROM a\nENV E=x\nARG E\nRUN x", {"E": "x"}),
        ("ARG E=prod\nARG F=$E-1\nFROM a:$F", {"E": "dev", "F": "dev-1"}),
    ],
)
def test_a_line_knows_what_its_stage_has_declared(text: str, known: Mapping[str, str]) -> None:
    assert last(text) == known


def test_without_a_value_the_default_counts() -> None:
    assert last("ARG E=prod\nFROM a\nARG E\nRUN x", {}) == {"E": "prod"}


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        ("RUN echo $E", {"E"}),
        ("COPY a${E:+-$E}.txt b", {"E"}),
        ("RUN echo $EXTRA", set()),
        ("RUN echo \\$E", set()),
        ('CMD ["echo", "$E"]', set()),
        ("ENV X=$E", {"E"}),
        ("RUN <<END\necho $E\nEND", {"E"}),
    ],
)
def test_what_a_line_asks_for_in_vain(line: str, lost: set[str]) -> None:
    parsed = Dockerfile.parse(f"ARG E=1\nFROM a\n{line}\n".encode())
    assert list(readings(parsed, {}))[-1].lost == lost


def test_names_are_those_of_the_whole_file() -> None:
    text = b"ARG A=1\nFROM a\nARG B C=2\nFROM b\nARG A\n"
    assert names(Dockerfile.parse(text)) == ("A", "B", "C")


def test_the_picture_names_the_lines_that_ask_in_vain(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("ARG E=prod\nFROM a\nRUN echo $E\n")
    assert "line 3 asks for E and does not know it" in str(plots.arg_scope(file, E="dev"))
    file.write_text("FROM a\nARG E=prod\nRUN echo $E\n")
    assert "Each knows what it asks for" in str(plots.arg_scope(file))


def test_no_file_and_no_argument_are_said(tmp_path: Path) -> None:
    assert "cannot be read" in str(plots.arg_scope(tmp_path / "Dockerfile"))
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    assert "has no ARG" in str(plots.arg_scope(tmp_path / "Dockerfile"))


def image(*paths: str, env: tuple[str, ...] = (), programs: tuple[str, ...] = ()) -> Flavour:
    packages = {"bottle": "1"} | dict.fromkeys((p for p in programs if p == "pytest"), "9")
    made = Image("i", (), (), {"Env": ["PATH=/bin", *env]})
    return Flavour("", made, packages, programs=frozenset(programs), paths=frozenset(paths))


def test_images_are_compared_kind_by_kind() -> None:
    one = image("/etc/a", "/opt/venv/lib/x")
    other = image("/etc/a", "/usr/bin/less", env=("ENV=dev",), programs=("less", "pytest"))
    found = compare(one, other)
    assert found.rows == (
        Difference("package", "pytest", "", "9"),
        Difference("program", "less", "", "yes"),
        Difference("program", "pytest", "", "yes"),
        Difference("variable", "ENV", "", "dev"),
        Difference("files only here, below", "/opt/venv", "1", ""),
        Difference("files only here, below", "/usr/bin", "", "1"),
    )
    assert found.same == {"packages": 1, "programs": 0, "variables": 1, "files": 1}


def test_what_finds_no_room_is_counted() -> None:
    found = compare(image(), image(programs=tuple(f"p{n}" for n in range(MOST + 2))))
    assert (len(found.rows), found.more) == (MOST, 2)


def test_the_picture_of_two_equal_images_says_so() -> None:
    assert str(plots.image_diff({"a": image("/x"), "b": image("/x")})).startswith("Nothing differs")
    drawn = str(plots.image_diff({"a": image(), "b": image(programs=("less",))}))
    assert "program less: a has it not, b yes" in drawn
    assert "two images" in str(plots.image_diff({"a": image()}))
