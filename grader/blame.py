"""Decides whose failure a failed build was, and words it for the student.

What a RUN prints proves nothing: anybody can print "no space left on device". So words that smell
of the machine only lead to a look at the machine: does it answer, was its disk full, does a canary,
a build of our own that must work, work? It builds nothing itself but that canary.
"""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.build import DISK_RESERVE, Build, Request, build, mixed_up
from grader.buildlog import Step
from grader.errors import EngineError, SubmissionError
from grader.host.cards import advice
from grader.host.connection import Connection
from grader.spec import Limits

CANARY_SECONDS = 60
SHOWN_LINES = 8
_LOST = re.compile(
    r"cannot connect to the docker daemon|error during connect|error reading from server"
    r"|code = unavailable|transport is closing",
    re.I,
)
_NETWORK = re.compile(
    r"temporary failure (in name resolution|resolving)|could not resolve|name or service not known"
    r"|unable to resolve|network is unreachable|no route to host|(read|connection) timed out"
    r"|connection (refused|reset)|certificate.?verify.?failed|ssl certificate problem"
    r"|tls handshake|failed to fetch|max retries exceeded|connectionerror|incompleteread"
    r"|proxyerror|cannot connect to proxy|tunnel connection failed|couldn't connect to server"
    r"|failed to connect to|unable to connect to|eai_again|is not valid yet|http error 50[0-9]"
    r"|from versions: none|failed to create endpoint|bridge.*not found|too ?many ?requests"
    r"|connection broken by|remote end closed",
    re.I,
)
_APT = re.compile(r"\bapt(-get)?\b|^E: |^Err:|release file", re.I | re.M)
_EXIT = re.compile(r"exit code: (\d+)")
# runc's own trouble with a RUN, unless it is the command that is not there
_RUNC = re.compile(r"runc run failed: (?!.*exec: )", re.I | re.S)
_PULL = re.compile(r"failed to resolve source metadata for (\S+?):? |pull access denied", re.I)
_NO_SUCH = re.compile(r"not found|no such host|denied|insufficient_scope|does not exist", re.I)
_PARSE = re.compile(r"dockerfile parse error|unknown instruction|failed to compute cache key", re.I)


@dataclass(frozen=True)
class Judge:
    """Knows the machine well enough to tell its failures from a student's."""

    connection: Connection
    images: tuple[str, ...]  # the base images that the lab builds on
    ping: Callable[[], None]  # raises EngineError when the daemon is gone
    labels: Mapping[str, str]  # of the run, so that the canary goes with it
    data_root: Path | None = None

    def error(self, failed: Build, limits: Limits) -> Exception:
        """The error to raise for a build that did not give an image."""
        if failed.stopped == "cancelled":
            return EngineError("The build was cancelled.")
        if why := self._machine(failed):
            return EngineError(why)
        if failed.stopped:
            return _stopped(failed, limits)
        if pull := _PULL.search(failed.log.refusal):
            return self._no_base(failed, pull[1] or "")
        return _failed(failed, limits)

    def _machine(self, failed: Build) -> str:
        """Why it was this machine's failure; "" when it was not."""
        step = failed.log.failed
        said, printed = _words(failed)
        if not self._answers() or (_LOST.search(said) and not _own(step)):
            return f"The Docker daemon was lost during the build: {_short(failed)}"
        if why := _builders(failed):
            return why
        if failed.stopped == "time" and failed.log.asking:
            return "A registry did not answer in time; no step of the file was running."
        if failed.stopped in ("log", "disk") or _PULL.search(failed.log.refusal):
            return ""
        network = smells_of_network(failed)
        # BuildKit did not get to a step
        idle = failed.stopped == "time" and not (failed.log.running or step)
        if not (network or idle) and (failed.stopped or _own(step) or _PARSE.search(said)):
            return ""
        why = self._canary(network=network, apt=bool(_APT.search(f"{said}\n{printed}")))
        return f"This machine cannot build at the moment: {why}{advice(why)}" if why else ""

    def _answers(self) -> bool:
        try:
            self.ping()
        except EngineError:
            return False
        return True

    def _canary(self, *, network: bool, apt: bool) -> str:
        """Why a build that must work does not work; empty when it does."""
        base = next(iter(self.images), "scratch")
        lines = [f"FROM {base}"]
        if base != "scratch":
            lines.append(f"RUN echo {uuid.uuid4().hex}")
        if network and base.startswith("python"):
            fetch = "python -m pip download --no-deps --no-cache-dir --dest /tmp/canary six"
            lines.append(f"RUN {'apt-get update' if apt else fetch}")
        with tempfile.TemporaryDirectory(prefix="lab-canary-") as folder:
            Path(folder, "Dockerfile").write_text("\n".join([*lines, "COPY . /canary", ""]))
            limits = Limits(build_seconds=CANARY_SECONDS)
            request = Request(Path(folder), self.labels, limits=limits)
            try:
                tried = build(self.connection, request, data_root=self.data_root)
            except EngineError as err:
                return str(err)
        return "" if tried.image else _short(tried)

    def _no_base(self, failed: Build, name: str) -> Exception:
        short = name.removeprefix("docker.io/library/").removeprefix("docker.io/")
        if short in self.images:
            return EngineError(f"The base image {short} is not on this machine. Run `make up`.")
        reason = failed.log.message.replace(name, "").replace(short, "")
        if not _NO_SUCH.search(reason):
            return EngineError(f"The registry did not give {short}: {_short(failed)}")
        known = ", ".join(self.images)
        instead = f" Build on one of this lab's images: {known}." if known else ""
        return SubmissionError(
            f"There is no image {short or 'of that name'} here to build on or copy from, and it"
            f" could not be pulled.{instead}",
            line=failed.log.blamed_line,
            evidence=_evidence(failed),
        )


def smells_of_network(failed: Build) -> bool:
    """Whether it says that the network failed it: worth a second build, and a proof of nothing.

    The network may have been away for a minute, and be there again when the canary is sent.
    """
    return bool(_NETWORK.search("\n".join(_words(failed))))


def _words(failed: Build) -> tuple[str, str]:
    """What the builder said, and what the step printed that ran last."""
    step = failed.log.failed
    shown = failed.log.running or step
    said = f"{failed.log.message}\n{step.error if step else ''}"
    return said, "\n".join(shown.output) if shown else ""


def _own(step: Step | None) -> bool:
    """Whether it is a RUN that ran and ended with an exit status of its own."""
    if step is None or step.line is None or _RUNC.search("\n".join((step.error, *step.output))):
        return False
    return bool(_EXIT.search(step.error))


def _builders(failed: Build) -> str:
    """Why BuildKit or the engine's disk is the reason; "" too where this build filled the disk."""
    if mixed_up(failed):
        return f"BuildKit mixed this build up with another one ({_short(failed)}). Check again."
    if failed.least_free is not None and failed.least_free < DISK_RESERVE:
        return f"The engine's disk is full: {failed.least_free / 1e6:.0f} MB were left."
    if failed.shared:
        return "The engine's disk filled up while several builds ran. Try this one by itself."
    return ""


def _stopped(failed: Build, limits: Limits) -> SubmissionError:
    step = failed.log.running or failed.log.failed
    where = _where(step)
    messages = {
        "time": f"{where} was still running when the {limits.build_seconds:g} s for a build were"
        " over. Does it wait for something that never comes?",
        "log": f"{where} prints without end: the build was stopped. Make it print less.",
        "disk": f"{where} wrote more than {limits.build_disk_mb:g} MB: the build was stopped.",
    }
    if step is None and failed.stopped == "time":
        messages["time"] = (
            f"The builder was still at work on the file itself when the {limits.build_seconds:g} s"
            " for a build were over. Does a variable unfold to very much?"
        )
    line = step.line if step else None
    return SubmissionError(messages[failed.stopped], line=line, evidence=_evidence(failed))


def _failed(failed: Build, limits: Limits) -> SubmissionError:
    step = failed.log.failed
    line = failed.log.blamed_line or (step.line if step else None)
    code = _EXIT.search(step.error) if step else None
    if step is None or code is None:
        reason = failed.log.message or "no reason was given"
        message = f"Line {line}: {reason}" if line else f"The build fails: {reason}"
        return SubmissionError(message, line=line, evidence=_evidence(failed))
    message = (
        f"{_where(step)} fails with exit code {code[1]}.{_limits_met(failed, code[1], limits)}"
    )
    return SubmissionError(message + _last_lines(step), line=line, evidence=_evidence(failed))


def _limits_met(failed: Build, code: str, limits: Limits) -> str:
    """What of our limits the failing RUN met; 137 is a kill, for memory most of the time."""
    if failed.memory_killed:
        return (
            f" A program in it was killed: it used more than the {limits.build_memory_mb:g} MB of"
            " memory that a RUN may use. Let it do less at once."
        )
    if code == "137":
        return " 137 says that it was killed, as the kernel does when memory runs out."
    if failed.pids_hit:
        return f" It hit the limit of {limits.build_pids:g} processes."
    return ""


def _where(step: Step | None) -> str:
    if step is None:
        return "The build"
    instruction = re.sub(r"^\[[^]]*\] ", "", step.name)
    short = instruction if len(instruction) <= 60 else instruction[:57] + "…"
    return f"Line {step.line} ({short})" if step.line else f"The step {short}"


def _last_lines(step: Step) -> str:
    lines = step.output[-SHOWN_LINES:]
    return " Its last lines:\n" + "\n".join(f"    {line}" for line in lines) if lines else ""


def _evidence(failed: Build) -> dict[str, object]:
    step = failed.log.failed or failed.log.running
    return {
        "step": step.name if step else "",
        "output": list(step.output) if step else [],
        "error": failed.log.message,
    }


def _short(failed: Build) -> str:
    return (failed.log.message or f"the client ended with {failed.exit_code}")[:300]
