"""Names every lab and exercise, as text or JSON; it judges none of them."""

from __future__ import annotations

import json

from grader.course import Course
from grader.spec import Exercise, Lab


def listing(*, as_json: bool) -> str:
    labs = Course.find().labs()
    if as_json:
        return json.dumps({"version": 1, "labs": [_lab(lab) for lab in labs]}, indent=2) + "\n"
    lines = [line for lab in labs for line in _lines(lab)]
    return "\n".join(lines) + "\n"


def _lab(lab: Lab) -> dict[str, object]:
    return {
        "name": lab.name,
        "title": lab.title,
        "minutes": lab.minutes,
        "needs": list(lab.needs),
        "exercises": [_exercise(e) for e in lab.exercises],
    }


def _exercise(exercise: Exercise) -> dict[str, object]:
    return {
        "id": exercise.id,
        "title": exercise.title,
        "points": exercise.max_points,
        "minutes": exercise.minutes,
        "checks": [{"id": i.id, "title": i.title, "points": i.points} for i in exercise.items],
    }


def _lines(lab: Lab) -> list[str]:
    needs = f", needs {', '.join(lab.needs)}" if lab.needs else ""
    rows = [f"{lab.name}  {lab.title} ({lab.minutes} min{needs})"]
    rows += [f"  {e.id}  {e.title} ({e.max_points:g} points)" for e in lab.exercises]
    return rows
