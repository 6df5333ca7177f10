"""The parts of the docs that are made from the code: found, renewed, and told when stale."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader import pages, sync
from grader.course import Course
from grader.errors import SpecError
from grader.pages import checks, commands, markdown, needs
from grader.pages.needs import Need, need
from grader.registry import CHECKS, FACTS, load_checks
from tests.conftest import ROOT
from tests.sample_course import make_course

PAGE = "# By hand\n\n<!-- made: targets -->\nold\n<!-- end: targets -->\n\nBy hand, too.\n"
MAKEFILE = "up: venv ## start it\n\t@true\nvenv:\n\t@true\n"
load_checks()


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A small course whose docs are stale."""
    made = make_course(tmp_path / "course", **{"docs/page.md": PAGE, "Makefile": MAKEFILE})
    monkeypatch.setenv("LAB_COURSE", str(made.root))
    return made


def page(course: Course) -> Path:
    return course.root / "docs/page.md"


def test_the_docs_of_this_checkout_are_fresh() -> None:
    assert pages.stale(Course(ROOT)) == []


def test_a_stale_part_is_told_and_renewed(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sync.sync_command(["docs"], check=True) == 1
    assert capsys.readouterr().out == "stale: docs/page.md: targets\n"
    assert page(course).read_text() == PAGE
    assert sync.sync_command(["docs"]) == 0
    assert capsys.readouterr().out == "wrote docs/page.md\n"
    assert "### make up\n\nStart it." in page(course).read_text()
    assert sync.sync_command(["docs"], check=True) == 0


def test_what_is_written_by_hand_stays(course: Course) -> None:
    pages.write(course)
    text = page(course).read_text()
    assert text.startswith("# By hand\n\n<!-- made: targets -->\n")
    assert text.endswith("<!-- end: targets -->\n\nBy hand, too.\n")
    assert "old" not in text


def test_all_is_synced_when_nothing_is_named(course: Course) -> None:
    assert sync.sync_command(check=True) == 1
    assert sync.sync_command() == 0
    assert pages.stale(course) == []
    assert sync.sync_command(check=True) == 0


def test_a_lab_alone_leaves_the_docs(course: Course) -> None:
    assert sync.sync_command(["01-sample"]) == 0
    assert page(course).read_text() == PAGE


HALVES = [
    ("a part that nobody makes", "<!-- made: wishes -->\n<!-- end: wishes -->\n", "'wishes'"),
    ("no end", "<!-- made: targets -->\nx\n", "'targets' has no beginning or no end"),
    ("no beginning", "x\n<!-- end: targets -->\n", "'targets' has no beginning or no end"),
    ("two beginnings", f"<!-- made: targets -->\n{PAGE}", "'targets' has no beginning or no end"),
]


@pytest.mark.parametrize(("text", "said"), [h[1:] for h in HALVES], ids=[h[0] for h in HALVES])
def test_half_a_part_is_refused_with_its_page(course: Course, text: str, said: str) -> None:
    page(course).write_text(text)
    with pytest.raises(SpecError, match=r"page\.md") as caught:
        pages.stale(course)
    assert said in str(caught.value)


def test_a_page_that_is_no_text_is_refused(course: Course) -> None:
    page(course).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"page\.md: cannot be read"):
        pages.stale(course)


ANCHORS = [
    ("image.size", "imagesize"),
    ("01-multi-stage/two-stages", "01-multi-stagetwo-stages"),
    ("What is guaranteed, and what isn't", "what-is-guaranteed-and-what-isnt"),
    ("files.no_apt_lists", "filesno_apt_lists"),
]


@pytest.mark.parametrize(("heading", "wanted"), ANCHORS)
def test_an_anchor_is_made_as_github_makes_it(heading: str, wanted: str) -> None:
    assert markdown.anchor(heading) == wanted


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert markdown.table(["a"], [["x|y\nz"]]).splitlines()[-1] == "| x\\|y z |"


def test_every_command_tells_how_it_ends() -> None:
    found = commands.commands()
    assert len(found) > 10
    assert [n for n, one in found.items() if "exit status: 0" not in (one.epilog or "")] == []


def test_every_option_and_word_has_its_meaning() -> None:
    rows = [(n, a) for n, one in commands.commands().items() for a in one._actions]
    assert [(n, a.dest) for n, a in rows if not a.help] == []


# -- what a check needs ----------------------------------------------------------------------------

NEEDS = [
    ("dockerfile.parses", Need.FILES),
    ("context.patterns", Need.FILES),
    ("context.needed", Need.EITHER),
    ("machine.ok", Need.ENGINE),
    ("image.size", Need.IMAGE),
    ("build.succeeds", Need.IMAGE),
    ("runspec.creates", Need.IMAGE),
    ("service.ready", Need.CONTAINER),
    ("health.fails_frozen", Need.CONTAINER),
    ("onbuild.runs", Need.CONTAINER),
]


@pytest.mark.parametrize(("name", "wanted"), NEEDS)
def test_what_a_check_needs(name: str, wanted: Need) -> None:
    assert need(CHECKS[name].facts) is wanted


# What starts containers of ours: probes, references, the engine's own trial runs.
OURS = ("grader.busy", "grader.engine", "grader.gpus.gpus", "grader.host", "grader.packages")
OURS += ("grader.probe", "grader.references", "grader.watched._clock", "grader.ward")


def called(func: object, seen: set[object]) -> Iterator[types.FunctionType]:
    """Every function of ours that this one may come to, by the names in its code."""
    if not isinstance(func, types.FunctionType) or func in seen:
        return
    written = func.__code__.co_filename.startswith(str(ROOT / "grader"))  # not by dataclass
    if not written or f"{func.__module__}.{func.__name__}".startswith(OURS):
        return
    seen.add(func)
    yield func
    for name in names(func.__code__):
        for one in meant(func, name):
            yield from called(one, seen)


def names(code: types.CodeType) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*map(names, inner))


def meant(func: types.FunctionType, name: str) -> list[object]:
    """A function of that name, in its module or in one that it calls by name; a class's methods."""
    modules = [v for v in func.__globals__.values() if isinstance(v, types.ModuleType)]
    ours = [m for m in modules if m.__name__.startswith("grader.") and uses(func, m)]
    found = [func.__globals__.get(name), *(vars(m).get(name) for m in ours)]
    classes = [f for f in found if isinstance(f, type) and f.__module__.startswith("grader")]
    return [*found, *(method for one in classes for method in vars(one).values())]


def uses(func: types.FunctionType, module: types.ModuleType) -> bool:
    return module.__name__.rpartition(".")[2] in names(func.__code__)


def starts(func: Callable[..., object]) -> bool:
    """Whether ``engine.start(…)`` stands in it."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(func)))
    calls = (n.func for n in ast.walk(tree) if isinstance(n, ast.Call))
    return any(
        isinstance(c, ast.Attribute) and c.attr == "start" and ast.unparse(c.value).endswith("gine")
        for c in calls
    )


def comes_to_a_start(name: str) -> bool:
    return any(map(starts, called(inspect.unwrap(FACTS[name].work), set())))


@pytest.mark.parametrize("name", sorted(FACTS))
def test_a_fact_that_starts_what_was_handed_in_is_named(name: str) -> None:
    """Else the reference says of a check that it needs no container, and it does."""
    assert needs.below([name]) & needs.STARTED or not comes_to_a_start(name)


@pytest.mark.parametrize("name", sorted(needs.STARTED))
def test_a_named_fact_does_start_something(name: str) -> None:
    assert comes_to_a_start(name)


def test_each_named_fact_is_there() -> None:
    assert (needs.STARTED | needs.BUILT) - FACTS.keys() == set()


# -- who uses and proves a check -------------------------------------------------------------------


def test_uses_and_wrong_answers_are_found_in_both_courses() -> None:
    found = checks.used(Course(ROOT))
    size = found["image.size"]
    assert "01-multi-stage/two-stages" in size.exercises
    assert "solutions/01-multi-stage/two-stages.wrong/purge-later" in size.wrong
    assert any(id_.startswith("tests/course/91-image") for id_ in found["image.labels"].exercises)
    assert all((ROOT / path).is_dir() for use in found.values() for path in use.wrong)


def test_the_course_of_checks_may_be_missing(course: Course) -> None:
    assert checks.used(course)["image.size"].exercises == ["01-sample/slim"]
