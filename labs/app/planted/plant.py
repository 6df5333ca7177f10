"""Makes a copy of this project with all that lies around in a real one, under made-up names.

    python plant.py TREE

Look into TREE, then ask what a build of it is sent (see Dockerfile). The names are others each
time; the kinds of files and the folders that they lie in stay the same. NEEDED is what the service
needs. Nothing of LITTER may be sent.
"""

import random
import shutil
import sys
from pathlib import Path

WORDS = ("amber", "brook", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "kelp")

# {a}, {b}, … are made-up words; {x} is a number.
NEEDED = """
app/__init__.py
app/main.py
app/{a}.py
app/{b}/__init__.py
app/{b}/{c}.py
models/digits.onnx
models/{d}.onnx
requirements.txt
"""
LITTER = """
.DS_Store
.env
.env.{a}
.git/config
.git/logs/HEAD
.git/objects/{x}/{a}
.gitignore
.venv/bin/activate
.venv/lib/python3.11/site-packages/{b}.py
.vscode/settings.json
README.md
api_key.txt
app/.DS_Store
app/.env
app/README.md
app/__pycache__/main.cpython-311.pyc
app/{a}.pyc
app/{a}.log
app/{b}/.{c}.py.swp
app/{b}/__pycache__/{c}.cpython-311.pyc
app/{b}/{d}.log
app/{b}/{d}.pyc
data/{a}.csv
data/{b}/{c}/{x}.npy
data/{b}/loader.py
docs/{a}.md
docs/img/{b}.png
id_rsa
logs/{x}/{a}.log
models/checkpoints/epoch-{x}.ckpt
models/checkpoints/last.onnx
models/{d}.md
notebooks/.ipynb_checkpoints/{a}-checkpoint.ipynb
notebooks/{a}.ipynb
notebooks/{b}.py
tests/test_{a}.py
{a}.log
"""
PROJECT = (".dockerignore", "Dockerfile", "app/__init__.py", "app/main.py", "requirements.txt")
BIG = (".ckpt", ".csv", ".npy", ".onnx")
BIG_BYTES, SMALL_BYTES = 300_000, 20_000


def names(chance: random.Random) -> tuple[set[str], set[str]]:
    """The paths of one tree: what is needed, and what lies around."""
    a, b, c, d = (f"{w}{chance.randrange(100):02}" for w in chance.sample(WORDS, 4))
    words = {"a": a, "b": b, "c": c, "d": d, "x": chance.randrange(10, 100)}
    needed, litter = ({line.format(**words) for line in t.split()} for t in (NEEDED, LITTER))
    return needed, litter


def plant(tree: Path, chance: random.Random) -> tuple[set[str], set[str]]:
    """Write one tree; files that are there already stay as they are."""
    needed, litter = names(chance)
    for name in sorted(needed | litter):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(chance.randbytes(BIG_BYTES if name.endswith(BIG) else SMALL_BYTES))
    return needed, litter


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    here, tree = Path(__file__).parent, Path(sys.argv[1])
    if tree.exists():
        print(f"{tree} is there already. Name a folder that is not, or remove it.")
        return 1
    for name in (
        "app/__init__.py",
        "app/main.py",
        "requirements.txt",
        "Dockerfile",
        ".dockerignore",
    ):
        if (here / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(here / name, tree / name)
    needed, litter = plant(tree, random.Random())
    print(f"{tree}: {len(needed)} files that the service needs, {len(litter)} that it does not.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
