"""Whose mistake it is decides the class; what to do about it is decided by whoever catches it.

``SpecError`` is the course author's and is raised while loading, before anything is built.
``SubmissionError`` is the student's: it is marked, not shown as a crash.
``EngineError`` is the machine's: it never costs a mark.
"""

from __future__ import annotations

DOCKERFILE = "Dockerfile"  # the file to blame where nothing else is said


class GraderError(Exception):
    """Base class, so that a caller can catch everything of ours at once."""


class SpecError(GraderError):
    """A lab.toml, or another file of the course's author, is wrong. Names the file and the key."""


class UsageError(GraderError):
    """The command was called with something that does not exist (a lab, a folder, a format)."""


class SubmissionError(GraderError):
    """The student's files cannot give what a check needs.

    ``line`` is the 1-based line of ``file`` to blame, where there is one; ``evidence`` is what a
    report may show beside the message.
    """

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        file: str = DOCKERFILE,
        evidence: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.line, self.file = line, file
        self.evidence = evidence or {}


class EngineError(GraderError):
    """The machine failed: no daemon, no disk, a lost connection. Nobody loses marks."""


class NotMeasurable(GraderError):
    """This machine cannot measure it (static mode, no GPU): a skip that says why.

    ``lacks`` is what a lab may need (``spec.NEEDS``) and this machine hasn't got.
    """

    def __init__(self, message: str, *, lacks: str = "") -> None:
        super().__init__(message)
        self.lacks = lacks
