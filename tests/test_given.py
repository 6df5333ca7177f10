"""Which files an exercise gives, and under which names."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.errors import SpecError
from grader.given import files, is_given


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for name in ("app/main.py", "app/sub/x.txt", "train.py", "lite/app.py", "lite/sub/Dockerfile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "app" / "__pycache__").mkdir()
    (tmp_path / "app" / "__pycache__" / "main.pyc").touch()
    (tmp_path / "lite" / ".DS_Store").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ((), []),
        (("train.py",), ["train.py"]),
        (("app",), ["app/main.py", "app/sub/x.txt"]),
        (("lite",), ["lite/app.py", "lite/sub/Dockerfile"]),
        (("lite/",), ["app.py", "sub/Dockerfile"]),
        (("app/sub", "train.py"), ["app/sub/x.txt", "train.py"]),
    ],
)
def test_a_folder_keeps_its_name_unless_it_ends_in_a_slash(
    app: Path, given: tuple[str, ...], names: list[str]
) -> None:
    found = files(app, given)
    assert sorted(found) == names
    assert all(source.is_file() for source in found.values())


def test_one_that_is_not_there_is_the_authors_fault(app: Path) -> None:
    with pytest.raises(SpecError, match=r"nope\.py"):
        files(app, ("nope.py",))


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("app/main.py", ("app",), True),
        ("app/new.py", ("app",), True),  # what is added to a given folder is the course's too
        ("application.py", ("app",), False),
        ("app.py", ("lite/",), True),
        ("sub/Dockerfile", ("lite/",), True),
        ("sub/new.py", ("lite/",), False),
        ("Dockerfile", ("lite/", "app"), False),
    ],
)
def test_a_learners_own_file_is_told_from_a_given_one(
    app: Path, name: str, given: tuple[str, ...], *, expected: bool
) -> None:
    assert is_given(name, app, given) is expected
