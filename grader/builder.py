"""Builds a submission, and variants of it, inside its limits, and says whose failure one was.

What is built and why is the facts'. How BuildKit is run is ``build``'s.
"""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader import syntax, unpacking
from grader.blame import Judge, smells_of_network
from grader.build import Build, Request
from grader.build import build as run_build
from grader.buildlog import BuildEvent
from grader.context import Context
from grader.dockerfile import Dockerfile
from grader.engine import Engine
from grader.errors import SubmissionError
from grader.spec import Exercise


@dataclass(frozen=True)
class Watcher:
    """Who is told of a build's progress, and who may cancel it."""

    on_event: Callable[[BuildEvent], None] | None = None
    cancel: threading.Event | None = None


@dataclass(frozen=True)
class Builder:
    """Builds the submission, and variants of it, inside its limits."""

    engine: Engine
    exercise: Exercise
    judge: Judge
    watcher: Watcher
    context: Context
    scratch: Path

    def copy(self, name: str) -> Path:
        """A copy of the context, to change something in it."""
        folder = self.scratch / name
        shutil.copytree(self.context.folder, folder, symlinks=True)
        return folder

    def make(
        self,
        folder: Path,
        *,
        parsed: Dockerfile | None = None,
        kind: str = "variant",
        told: bool = False,
        **how: Any,
    ) -> Build:
        """Build it; ``how`` are fields of Request. Raises by whose failure it was."""
        made, error = self._judged(folder, parsed, kind, how, told=told)
        if error:
            raise _with_links(error, self.context)
        return made

    def attempt(
        self, folder: Path, *, parsed: Dockerfile | None = None, kind: str = "variant", **how: Any
    ) -> Build:
        """The same, where failing tells something. Raises EngineError for the machine's failure."""
        made, error = self._judged(folder, parsed, kind, how, told=False)
        if error and not isinstance(error, SubmissionError):
            raise error
        return made

    def _judged(
        self,
        folder: Path,
        parsed: Dockerfile | None,
        kind: str,
        how: Mapping[str, Any],
        *,
        told: bool,
    ) -> tuple[Build, Exception | None]:
        """The build, and whose failure it was; twice where the network may have failed it."""
        made, error = self._once(folder, parsed, kind, how, told=told)
        # A canary that came through says that the network is there now, not that it was.
        if isinstance(error, SubmissionError) and not made.stopped and smells_of_network(made):
            made, error = self._once(folder, parsed, kind, how, told=told)
        return made, error

    def _once(
        self,
        folder: Path,
        parsed: Dockerfile | None,
        kind: str,
        how: Mapping[str, Any],
        *,
        told: bool,
    ) -> tuple[Build, Exception | None]:
        made = self._run(folder, parsed, kind, how, told=told)
        return made, None if made.image else self.judge.error(made, self.exercise.limits)

    def _run(
        self,
        folder: Path,
        parsed: Dockerfile | None,
        kind: str,
        how: Mapping[str, Any],
        *,
        told: bool,
    ) -> Build:
        made = self.tried(folder, parsed=parsed, kind=kind, told=told, **how)
        name = syntax.unresolved(made.log.refusal) if not made.image else ""
        if syntax.is_dockers_own(name):
            # The engine has the same frontend inside; only its version may be another one.
            file = self.scratch / f"{uuid.uuid4().hex}.Dockerfile"
            source = how.get("file") or folder / "Dockerfile"
            file.write_text(syntax.neutral(source.read_text(encoding="utf-8-sig")))
            own = {**how, "file": file}
            made = self.tried(folder, parsed=parsed, kind=kind, told=told, **own)
            made = replace(made, frontend="own")
        return made

    def tried(
        self,
        folder: Path,
        *,
        parsed: Dockerfile | None = None,
        kind: str = "variant",
        told: bool = False,
        **how: Any,
    ) -> Build:
        """Build it as it stands; whose failure one is has not been asked yet.

        Raises SubmissionError for what could not be stopped any more.
        """
        self.engine.ping()
        if parsed:
            unpacking.refuse(folder, parsed, self.exercise.limits)
        return run_build(
            self.engine.connection,
            Request(folder, self.engine.labels(kind), limits=self.exercise.limits, **how),
            parsed=parsed,
            data_root=self.engine.data_root,
            on_event=self.watcher.on_event if told else None,
            cancel=self.watcher.cancel,
        )


def _with_links(error: Exception, context: Context) -> Exception:
    """A link out of the folder is not followed; a build that fails may have wanted it."""
    if not context.outside_links or not isinstance(error, SubmissionError):
        return error
    note = f" Note that {context.outside_links[0]} points out of the folder and is not followed."
    return SubmissionError(
        f"{error}{note}", line=error.line, file=error.file, evidence=error.evidence
    )
