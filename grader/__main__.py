"""The command ``grader``: one line each into the function that does it.

Exit status: 0 full marks or done · 1 something to fix · 2 wrong use or a broken spec · 3 the
machine's fault, try again. No work is done here, and nothing heavy is imported at the top.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from grader.errors import EngineError, GraderError

FORMATS = ("text", "json")
KINDS = ("good", "wrong", "cheat", "hostile")  # what a selftest grades
FORMAT = "for people or for programs"
# How they end, beside what ENDS says of each of them.
MACHINE = "the machine's fault"
DONE = "0 done"
GRADED = f"0 full marks · 1 something to fix · 3 {MACHINE}, try again"
UP = "0 up, also in static mode · 3 the engine that was asked for is broken"
ENDS = "exit status: 2 wrong use or a broken spec · 3 the machine's fault · 130 stopped by Ctrl-C"
Command = Callable[[argparse.Namespace], int]
Add = Callable[..., argparse.ArgumentParser]  # a name, what it runs, its help, how it ends


def main(argv: list[str] | None = None) -> int:
    """Run one command; gives the exit status. No traceback reaches a user."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know ✓
    options = parser().parse_args(argv)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `grader list | head`: what is left has no reader
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except GraderError as err:
        print(f"grader: {err}", file=sys.stderr)
        return 3 if isinstance(err, EngineError) else 2
    return status


def parser() -> argparse.ArgumentParser:
    """What may be typed. The docs are made from it (grader.pages.commands)."""
    top = argparse.ArgumentParser(prog="grader", description="Grades Docker work.", epilog=ENDS)
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Command, help_: str, ends: str = DONE) -> argparse.ArgumentParser:
        epilog = f"exit status: {ends}"
        one = commands.add_parser(name, help=help_, description=help_, epilog=epilog)
        one.set_defaults(run=run)
        return one

    for add in (_learners, _authors, _machines):
        add(command)
    return top


def _learners(command: Add) -> None:
    one = command("list", _list, "name every lab and exercise")
    one.add_argument("--format", choices=FORMATS, default="text", help=FORMAT)

    one = command("grade", _grade, "grade a folder as a submission of an exercise", GRADED)
    one.add_argument("exercise", help="NN-name/exercise")
    one.add_argument("folder", type=Path, help="what is handed in")
    one.add_argument("--format", choices=FORMATS, default="text", help=FORMAT)
    one.add_argument("--output", type=Path, metavar="FILE", help="write the report to this file")
    one.add_argument("--static", action="store_true", help="only what needs no Docker engine")

    for name, run, help_, ends in (
        ("start", _start, "make work/NN-name/exercise from its starter", DONE),
        ("hint", _hint, "the next hint for the first check that failed", DONE),
        ("reset", _reset, "bring the starter back; keeps a copy of what it replaces", DONE),
        (
            *("solution", _solution, "show the reference solution, once it was earned"),
            "0 shown · 1 not earned yet",
        ),
    ):
        one = command(name, run, help_, ends)
        one.add_argument("exercise", help="NN-name/exercise")

    one = command("check", _check, "grade what is in work/, of one exercise or of all", GRADED)
    what = one.add_mutually_exclusive_group(required=True)
    what.add_argument("exercise", nargs="?", default="", help="NN-name/exercise")
    what.add_argument("--all", action="store_true", help="each exercise that you have begun")
    what.add_argument("--stale", action="store_true", help="what was passed before a change")

    command("patients", _patients, "make the ill containers of lab 09 anew")

    one = command("progress", _progress, "what was done so far, exercise by exercise")
    one.add_argument("--merge", type=Path, metavar="FILE", help="add another machine's progress")
    one.add_argument("--format", choices=FORMATS, default="text", help=FORMAT)

    what_here = "what this machine can and cannot grade, and what to do"
    one = command("doctor", _doctor, what_here, "0 the labs run here · 1 something to repair")
    one.add_argument("--format", choices=FORMATS, default="text", help=FORMAT)


def _authors(command: Add) -> None:
    both = "make the notebooks of each lab, and parts of the docs, from their one source"
    one = command("sync", _sync, both, "0 done, or nothing is stale · 1 --check found something")
    one.add_argument("labs", nargs="*", metavar="LAB", help="only these; also README and docs")
    one.add_argument("--check", action="store_true", help="only say what is stale; exit 1 if any")
    one.add_argument("--execute", action="store_true", help="run the notebooks for their outputs")

    keep = "keep what cells show on this engine, for where there is none"
    ends = f"0 done, or nothing is stale · 1 --check found something · 3 {MACHINE}"
    one = command("record", _record, keep, ends)
    one.add_argument("labs", nargs="*", metavar="LAB", help="only these")
    one.add_argument("--check", action="store_true", help="only say what is stale; exit 1 if any")

    prove = "prove the course: starters fail, references pass"
    ends = f"0 no fault · 1 the course is at fault · 3 only {MACHINE}"
    one = command("lint-course", _lint, prove, ends)
    one.add_argument("labs", nargs="*", metavar="LAB", help="only these")
    one.add_argument("--static", action="store_true", help="only what needs no Docker engine")
    one.add_argument("--jobs", type=int, default=2, help="how many are graded at once")

    prove = "prove the grader: grade what has a known verdict"
    ends = f"0 every verdict is right · 1 one is off · 3 {MACHINE}"
    one = command("selftest", _selftest, prove, ends)
    one.add_argument("--quick", action="store_true", help="only some of each kind")
    one.add_argument("--jobs", type=int, default=2, help="how many are graded at once")
    one.add_argument("--only", choices=KINDS, default="", help="one kind only")


def _machines(command: Add) -> None:
    one = command("up", _up, "set up the engine and images, prove them, start JupyterLab", UP)
    one.add_argument("--static", action="store_true", help="JupyterLab without a Docker engine")
    one.add_argument("--no-jupyter", action="store_true", help="the engine and images only")
    one.add_argument("--port", type=int, default=8888, help="where JupyterLab listens")

    one = command("down", _down, "stop what `up` started", "0 done · 1 nothing was removed")
    one.add_argument("--clean", action="store_true", help="also remove all state")
    one.add_argument("--yes", action="store_true", help="don't ask before removing")


def _list(options: argparse.Namespace) -> int:
    from grader.listing import listing

    print(listing(as_json=options.format == "json"), end="")
    return 0


def _grade(options: argparse.Namespace) -> int:
    from grader.course import Course
    from grader.errors import UsageError
    from grader.exports import render
    from grader.grade import grade

    course = Course.find()
    exercise = course.exercise(options.exercise)
    if not os.path.isdir(options.folder):  # noqa: PTH112  Path.is_dir raises for a long name
        raise UsageError(f"{str(options.folder)[:200]} is not a folder.")
    _try_to_write("", options.output)
    static = True if options.static else None
    report = grade(exercise, options.folder, course=course, static=static)
    text = render(report, options.format)
    if options.output is None:
        print(text, end="")
    _try_to_write(text, options.output)
    return report.exit_status


def _try_to_write(text: str, output: Path | None) -> None:
    """Called once before the work too: nobody waits for a report that cannot be written."""
    from grader.errors import UsageError

    if output is None:
        return
    try:
        with output.open("w" if text else "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as err:
        raise UsageError(f"{output} cannot be written: {err.strerror}.") from err


def _start(options: argparse.Namespace) -> int:
    from grader.work import start_command

    return start_command(options.exercise)


def _check(options: argparse.Namespace) -> int:
    from grader.recheck import recheck_command
    from grader.work import check_command

    if options.exercise:
        return check_command(options.exercise)
    return recheck_command(stale=options.stale)


def _patients(_: argparse.Namespace) -> int:
    from grader.ward import patients_command

    return patients_command()


def _hint(options: argparse.Namespace) -> int:
    from grader.work import hint_command

    return hint_command(options.exercise)


def _reset(options: argparse.Namespace) -> int:
    from grader.work import reset_command

    return reset_command(options.exercise)


def _solution(options: argparse.Namespace) -> int:
    from grader.work import solution_command

    return solution_command(options.exercise)


def _progress(options: argparse.Namespace) -> int:
    from grader.standing import progress_command

    return progress_command(options.merge, as_json=options.format == "json")


def _doctor(options: argparse.Namespace) -> int:
    from grader.host.doctor import doctor

    return doctor(as_json=options.format == "json")


def _sync(options: argparse.Namespace) -> int:
    from grader.sync import sync_command

    return sync_command(options.labs, check=options.check, execute=options.execute)


def _record(options: argparse.Namespace) -> int:
    from grader.record import record_command

    return record_command(options.labs, check=options.check)


def _lint(options: argparse.Namespace) -> int:
    from grader.lint import lint_command

    return lint_command(options.labs, static=options.static, jobs=options.jobs)


def _selftest(options: argparse.Namespace) -> int:
    from grader.selftest import selftest_command

    return selftest_command(quick=options.quick, jobs=options.jobs, only=options.only)


def _up(options: argparse.Namespace) -> int:
    from grader.host.up import up

    return up(static=options.static, port=options.port, jupyter=not options.no_jupyter)


def _down(options: argparse.Namespace) -> int:
    from grader.host.up import clean, down

    return clean(yes=options.yes) if options.clean else down()


if __name__ == "__main__":
    raise SystemExit(main())
