"""The folders of images/ as values: what each base image is made of.

Not here: making one (images, standin).
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader import labels
from grader.errors import SpecError

FOLDER = Path(__file__).parents[2] / "images"
LISTS = ("needs", "include", "unpack")
DIGEST = "lab.recipe"  # label: the recipe that an image was made by


@dataclass(frozen=True)
class Recipe:
    """One folder of images/ that makes a base image."""

    folder: Path
    tag: str
    standin: bool
    needs: tuple[str, ...] = ()
    suite: str = ""
    customize: str = ""
    include: tuple[str, ...] = ()
    unpack: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes with the recipe, and with the recipe of what it is made from."""
        below = [other for other in load(self.folder.parent) if other.tag in self.needs]
        total = hashlib.sha256()
        for path in sorted(p for p in self.folder.iterdir() if p.is_file()):
            if path.name != "README.md":
                total.update(path.read_bytes())
        for other in below:
            total.update(other.digest.encode())
        return total.hexdigest()[:16]

    @property
    def marks(self) -> dict[str, str]:
        """The labels of an image that was made by it."""
        standin = {labels.STANDIN: self.tag} if self.standin else {}
        return {labels.KIND: "base", DIGEST: self.digest, **standin}


def load(folder: Path = FOLDER) -> list[Recipe]:
    """Every recipe, those that another one needs first."""
    found = [read(path) for path in sorted(folder.glob("*/image.toml"))]
    return sorted(found, key=lambda one: len(one.needs))


def read(path: Path) -> Recipe:
    """One image.toml. SpecError, naming the file, for a key that there is none of."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        table |= {key: tuple(table.get(key, ())) for key in LISTS}
        return Recipe(folder=path.parent, **table)
    except (tomllib.TOMLDecodeError, TypeError) as err:
        raise SpecError(f"{path}: {err}") from err
