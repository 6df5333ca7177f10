"""A .dockerignore read as Docker reads it; that it is so is shown by the live test of this name."""

from __future__ import annotations

import pytest

from grader import ignore
from grader.errors import SubmissionError

FILES = (
    ".env",
    "README.md",
    "app/main.py",
    "app/run.log",
    "app/sub/a.py",
    "app/sub/run.log",
    "data/x.csv",
    "data.csv",
    "models/a.onnx",
    "models/old/b.onnx",
    "run.log",
)
ALL = set(FILES)
SENT = [
    ("nothing is said", "", ALL),
    ("a comment", "# data\n", ALL),
    ("a comment behind a pattern", "data/  # big\n", ALL),
    ("a blank before the #", " # data\n", ALL),
    ("a folder", "data\n", ALL - {"data/x.csv"}),
    ("a folder with a slash behind it", "data/\n", ALL - {"data/x.csv"}),
    ("with one before it", "/data\n", ALL - {"data/x.csv"}),
    ("with ./", "./data\n", ALL - {"data/x.csv"}),
    ("by a way around", "app/../data\n", ALL - {"data/x.csv"}),
    ("at the top alone", "*.log\n", ALL - {"run.log"}),
    ("one folder down", "*/*.log\n", ALL - {"app/run.log"}),
    ("anywhere", "**/*.log\n", ALL - {"run.log", "app/run.log", "app/sub/run.log"}),
    ("all that ends so", "**.log\n", ALL - {"run.log", "app/run.log", "app/sub/run.log"}),
    ("all that begins so", "data**\n", ALL - {"data/x.csv", "data.csv"}),
    ("a question mark", "dat?\n", ALL - {"data/x.csv"}),
    ("a class", "[r-z]*\n", ALL - {"run.log"}),
    ("a dot is a dot", "data.csv\n", ALL - {"data.csv"}),
    ("a dot is no other character", "runxlog\n", ALL),
    ("everything", "*\n", set[str]()),
    ("everything, with stars", "**\n", set[str]()),
    ("one back", "*\n!README.md\n", {"README.md"}),
    ("a blank behind the !", "*\n! README.md\n", {"README.md"}),
    ("one back too early", "!README.md\n*\n", set[str]()),
    ("a folder back", "*\n!models\n", {"models/a.onnx", "models/old/b.onnx"}),
    ("and a part of it out again", "*\n!models\nmodels/old\n", {"models/a.onnx"}),
    ("by its kind", "*\n!app/**/*.py\n", {"app/main.py", "app/sub/a.py"}),
    (
        "what changes nothing is not tried",
        "app\n!app/sub\napp\n",
        ALL - {"app/main.py", "app/run.log"},
    ),
    ("Windows line ends", "data\r\n*.csv\r\n", ALL - {"data/x.csv", "data.csv"}),
    ("a mark at the start", "\ufeffdata\n", ALL - {"data/x.csv"}),
]


@pytest.mark.parametrize(("text", "sent"), [s[1:] for s in SENT], ids=[s[0] for s in SENT])
def test_sent(text: str, sent: set[str]) -> None:
    assert ignore.parse(text.encode()).sent(FILES) == sent


CLASSIC = [
    ("nothing comes back", "data\n", ALL - {"data/x.csv"}),
    ("a folder by its name", "*\n!app\n", {f for f in FILES if f.startswith("app/")}),
    ("a file by its name", "*\n!app/sub/a.py\n", {"app/sub/a.py"}),
    ("with stars it looks one folder deep", "*\n!app/**/*.py\n", {"app/main.py"}),
    ("with stars at the start, nowhere", "*\n!**/*.py\n", set[str]()),
    ("at the top it looks everywhere", "*.log\n!**/run.log\n", ALL),
]


@pytest.mark.parametrize(("text", "sent"), [c[1:] for c in CLASSIC], ids=[c[0] for c in CLASSIC])
def test_sent_by_the_classic_builder(text: str, sent: set[str]) -> None:
    assert ignore.parse(text.encode()).sent_by_classic(FILES) == sent


REFUSED = ["[a", "[", "[]", "[a-]", "[-a]", "!", "! ", "a\\", "fo\\o*"]


@pytest.mark.parametrize("line", REFUSED)
def test_what_docker_refuses_has_its_line(line: str) -> None:
    found = ignore.parse(f"data\n{line}\n".encode())
    assert found.problem
    assert found.line == 2


@pytest.mark.parametrize("line", ["[a]", "[^a]", "[a-z]", "[\\]]", "\\*", "a]", "!a"])
def test_what_docker_takes_is_no_problem(line: str) -> None:
    assert not ignore.parse(line.encode()).problem


def test_the_last_line_that_matches_decides() -> None:
    rules = ignore.parse(b"*\n# back\n!app\n**/*.log\n")
    told = {f: getattr(rules.deciding(f), "line", None) for f in FILES}
    assert (told["README.md"], told["app/main.py"], told["app/run.log"]) == (1, 3, 4)
    assert ignore.parse(b"x\n").deciding("README.md") is None


@pytest.mark.parametrize("data", [b"\xff\xfe", b"#" * (ignore.MOST_BYTES + 1)])
def test_what_is_no_text_of_a_size_is_the_students(data: bytes) -> None:
    with pytest.raises(SubmissionError, match=r"\.dockerignore"):
        ignore.parse(data)
