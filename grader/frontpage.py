"""The page that a learner begins on: all labs, how far each is, what runs here, what is next.

As HTML and as plain text, like every cell; what stands in it is ``standing``'s.
"""

from __future__ import annotations

from urllib.parse import quote

from grader import cells, work
from grader.cells import Cell
from grader.standing import LabDone, Standing, labs_table, points_in_words

CAPTION = "The labs: what you have done, and what this machine can run"
HEADER = ("lab", "what about", "points", "exercises passed", "minutes", "runs here")
CELL = "text-align:left;vertical-align:top;padding:.35em .7em;white-space:normal;max-width:24em"
BAR = "width:7em;vertical-align:middle"


def page(found: Standing) -> Cell:
    """The table, what is missing here and why, and the one next thing to do."""
    reasons, again = found.here.reasons(), found.again()
    below = [*map(cells.prose, reasons), _next(found), *map(cells.prose, again)]
    html = "".join(f"<p>{paragraph}</p>" for paragraph in below)
    text = "\n\n".join([labs_table(found), found.advice(), *again])
    return Cell(f"<div>{_table(found)}{html}</div>", cells.clean(text))


def _table(found: Standing) -> str:
    caption = f'<caption style="text-align:left;font-weight:bold">{CAPTION}</caption>'
    head = "".join(_cell(name, "th", "col") for name in HEADER)
    rows = "".join(_row(lab) for lab in found.labs)
    return (
        f'<table style="border-collapse:collapse">{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(lab: LabDone) -> str:
    one, passed = lab.lab, f"{lab.passed} of {len(lab.exercises)}"
    about = f"<b>{cells.safe(one.title)}</b><br>{cells.safe(one.summary)}"
    rest = (about, _points(lab), passed, str(one.minutes), cells.safe(lab.runs))
    row = _cell(_link(lab, one.name), "th", "row") + "".join(map(_cell, rest))
    return f'<tr style="border-top:1px solid rgba(128,128,128,.35)">{row}</tr>'


def _cell(html: str, kind: str = "td", scope: str = "") -> str:
    scoped = f' scope="{scope}"' if scope else ""
    return f'<{kind}{scoped} style="{CELL}">{html}</{kind}>'


def _points(lab: LabDone) -> str:
    """In words, with a bar that says the same: screen readers need not read it twice."""
    words = points_in_words(lab)
    if not lab.max_points:
        return words
    bar = f'<progress aria-hidden="true" style="{BAR}" value="{lab.points:g}"'
    return f'{words}<br>{bar} max="{lab.max_points:g}"></progress>'


def _next(found: Standing) -> str:
    """The advice, with the exercise as a link to its notebook."""
    said, todo = cells.prose(found.advice()), found.next()
    if todo is None:
        return f"<b>{said}</b>"
    lab = next(lab for lab in found.labs if lab.lab.name == todo.exercise.lab)
    name = cells.safe(todo.exercise.id)
    return f"<b>{said.replace(name, _link(lab, todo.exercise.id), 1)}</b>"


def _link(lab: LabDone, text: str) -> str:
    """Relative to the notebook that shows it, so that JupyterLab opens the lab beside it."""
    path = work.near(lab.lab.folder / f"{lab.lab.name}.ipynb")
    return f'<a href="{cells.safe(quote(path))}">{cells.safe(text)}</a>'
