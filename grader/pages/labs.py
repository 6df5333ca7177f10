"""Every lab and exercise: what it asks, what it is worth and which checks look at it."""

from __future__ import annotations

from collections.abc import Iterator

from grader.course import Course
from grader.pages.markdown import link, table
from grader.spec import Exercise, Item, Lab


def text(course: Course) -> str:
    """One heading a lab and one an exercise."""
    return "\n\n".join(part for lab in course.labs() for part in _lab(lab))


def _lab(lab: Lab) -> Iterator[str]:
    needs = f", needs: {', '.join(lab.needs)}" if lab.needs else ""
    notebook = link("notebook", f"../labs/{lab.name}/{lab.name}.ipynb")
    yield f"## {lab.name}"
    yield f"**{lab.title}.** {lab.summary}"
    yield f"About {lab.minutes} minutes{needs}. {notebook}"
    for exercise in lab.exercises:
        yield from _exercise(exercise)


def _exercise(exercise: Exercise) -> Iterator[str]:
    worth = "no points" if exercise.is_gate else f"{exercise.max_points:g} points"
    yield f"### {exercise.id}"
    yield f"{exercise.title}: {worth}, about {exercise.minutes} minutes."
    yield " ".join(exercise.task.split())
    yield table(("check", "what", "points"), (_row(item) for item in exercise.items))


def _row(item: Item) -> tuple[str, str, str]:
    return link(f"`{item.id}`", "checks.md", item.check.name), item.title, f"{item.points:g}"
