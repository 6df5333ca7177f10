"""What we say of a .dockerignore is what BuildKit and the classic builder do with it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from grader import ignore
from grader.archive import Reader
from grader.build import Request, build
from grader.engine import Engine
from grader.errors import NotMeasurable
from grader.host.connection import Connection
from grader.look import REGULAR
from grader.sent import Planted, classic_sent

PATHS = """
.env .git/HEAD .git/objects/aa/bb README.md Dockerfile.dev a^b app/.env app/__init__.py app/main.py
app/main.pyc app/run.log app/sub/__pycache__/x.pyc app/sub/y.log app/sub/y.py data/a.csv
data/b/c.csv data.csv docs/index.md foo.bar/x foobar id_rsa main.py models/checkpoints/e1.ckpt
models/checkpoints/last.onnx models/digits.onnx models/readme.txt run.log x/data/y x/y/data/z
""".split()  # noqa: SIM905
IGNORES = [
    "",
    "# a comment\n",
    " # none\n",
    "data/\n",
    "data/  # Exclude large datasets\n",
    "/data\n",
    "./data\n",
    "data/.\n",
    "data/../app\n",
    "*\n",
    "**\n",
    ".\n",
    "/\n",
    "*.log\n",
    "**/*.log\n",
    "**.log\n",
    "*/*.log\n",
    "**/data\n",
    "**/data/\n",
    "data/**\n",
    "data**\n",
    "**/__pycache__\n",
    "**/sub/**\n",
    "app/**/y.*\n",
    "*\n!app\n",
    "!app\n*\n",
    "*\n!app/**/*.py\n!models/*.onnx\n",
    "*\n!app/\napp/**/__pycache__\n**/*.log\n",
    "*\n!models\nmodels/checkpoints\n",
    "models\n!models/checkpoints/last.onnx\n",
    "app\n!app/sub\napp\n",
    "**/*.md\n!README.md\n",
    "README.??\n",
    "[a-d]*\n",
    "[^a]*\n",
    "data.[c]sv\n",
    "d?ta\n",
    "foo.bar\n",
    "foo.*\n",
    "fo\\?\n",
    "a^b\n",
    "\ufeffdata\n",
    "data\r\n*.md\r\n",
    "  data  \n",
    "! app\napp/sub\n",
    "app\n!**/*.py\n",
    "**/.*\n!app/.env\n",
    ".git\n.env\n**/.env\n",
    "*\n!*/\n",
    "*/*\n!app\n",
    "**/x\n",
    "app/*\n!app/main.py\n!app/sub\n",
]
REFUSED = ["fo\\o*\n", "[a\n", "!\n", "a\\\n", "[]\n", "[a-]\n"]
PROBE = "FROM scratch\nCOPY . /context/\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in PATHS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def sent(connection: Connection, tree: Path, text: str, place: Path) -> set[str] | None:
    """What reaches a stage that copies everything; None when the build is refused."""
    (tree / ".dockerignore").write_bytes(text.encode())
    probe = place / "Dockerfile"
    probe.write_text(PROBE)
    with Engine.open(connection) as engine:
        made = build(connection, Request(tree, engine.labels("variant"), file=probe))
        if not made.image:
            return None
        with engine.saved(made.image) as stream:
            layers = Reader().read(stream).layers
    paths = {e.path for blob in layers.values() for e in blob.entries if e.kind == REGULAR}
    return {p.removeprefix("/context/") for p in paths} - {".dockerignore"}


@pytest.mark.parametrize("text", IGNORES, ids=[repr(t) for t in IGNORES])
def test_what_we_say_is_what_buildkit_is_sent(
    text: str, tree: Path, connection: Connection, tmp_path: Path
) -> None:
    assert ignore.parse(text.encode()).sent(PATHS) == sent(connection, tree, text, tmp_path)


@pytest.mark.parametrize("text", [t for t in IGNORES if "!" in t or "**" in t])
def test_what_we_say_is_what_the_classic_builder_is_sent(
    text: str, tree: Path, connection: Connection, tmp_path: Path
) -> None:
    (tree / ".dockerignore").write_bytes(text.encode())
    planted = Planted(tree, frozenset(PATHS), frozenset())
    with Engine.open(connection) as engine:
        try:
            found = classic_sent(planted, engine, tmp_path)
        except NotMeasurable as err:
            if os.environ.get("REQUIRE_DOCKER") == "1":  # the private engine has it
                raise
            pytest.skip(str(err))
    assert ignore.parse(text.encode()).sent_by_classic(PATHS) == found.files


@pytest.mark.parametrize("text", REFUSED)
def test_what_we_call_invalid_is_refused(
    text: str, tree: Path, connection: Connection, tmp_path: Path
) -> None:
    assert ignore.parse(text.encode()).problem
    assert sent(connection, tree, text, tmp_path) is None


@pytest.mark.parametrize("seed", range(8))
def test_so_it_is_with_patterns_put_together_at_random(
    seed: int, tree: Path, connection: Connection, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    parts = ["*", "**", "app", "data", "*.py", "sub", "!app", "!**", "checkpoints", "[a-m]*", "?*"]
    lines = ["/".join(chance.choices(parts, k=chance.randrange(1, 4))) for _ in range(6)]
    text = "\n".join(line[0] + line[1:].replace("!", "") for line in lines)
    assert ignore.parse(text.encode()).sent(PATHS) == sent(connection, tree, text, tmp_path), text
