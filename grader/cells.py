"""What a notebook cell shows, as HTML for JupyterLab and as plain text for everything else.

It displays nothing and knows no widget: ``notebook`` does. Whatever comes from a learner's build
or container is escaped here, and its control characters are dropped. The plain text holds no
seconds, so that two runs of the same notebook read the same.
"""

from __future__ import annotations

import base64
import html
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from grader.buildlog import BuildEvent
from grader.opinion import in_words
from grader.results import Outcome, Report, Result

# Middle tones: each has a contrast of at least 3.6 on white and on JupyterLab's dark background.
COLORS = {
    Outcome.PASS: "#2e8b57",
    Outcome.FAIL: "#d64541",
    Outcome.SKIP: "#787878",
    Outcome.ERROR: "#b7791f",
}
WORDS = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "to fix",
    Outcome.SKIP: "skipped",
    Outcome.ERROR: "could not be measured",
}
STEPS_SHOWN = 8
STEP_WIDTH = 110
LONGEST = 4000  # characters of one message
REPLAYED = "End of the replay."
WEB = re.compile(r"https?://[^\s<>\"']+")
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CELL = "text-align:left;vertical-align:top;padding:.35em .7em;white-space:normal;max-width:46em"


@dataclass(frozen=True)
class Cell:
    """One output in both forms; Jupyter picks the one that it can show."""

    html: str
    text: str

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def clean(text: object, longest: int = LONGEST) -> str:
    """Text that can do nothing to a terminal: no escape sequences, no control characters."""
    plain = CONTROLS.sub("", ESCAPES.sub("", str(text).replace("\r\n", "\n")))
    return plain if len(plain) <= longest else f"{plain[:longest]} …"


def safe(text: object, longest: int = LONGEST) -> str:
    """Text that can do nothing to a page either."""
    return html.escape(clean(text, longest))


def linked(text: object) -> str:
    """The same, and the addresses in it can be clicked; the page with one's work stays open."""
    aside = 'target="_blank" rel="noopener" style="text-decoration:underline"'
    return WEB.sub(lambda found: f'<a href="{found[0]}" {aside}>{found[0]}</a>', safe(text))


def message(text: object, outcome: Outcome | None = None) -> Cell:
    """One paragraph, with a mark where it is good or bad news."""
    mark = f"{outcome.mark} " if outcome else ""
    color = COLORS[outcome] if outcome else "#787878"
    body = f"{_mark(outcome)} {safe(text)}" if outcome else safe(text)
    return Cell(_boxed(body, color), f"{mark}{clean(text)}")


def report(found: Report, note: str = "", folder: str = "") -> Cell:
    """The table: mark, title, points, and what was seen and is to be done.

    With ``folder``, relative to the notebook, a line that is to blame is a link that opens it.
    """
    head = f"{found.lab}/{found.exercise}: {_score(found)}"
    lines = [head, *([note] if note else [])]
    lines += [line for result in found.results for line in _text_row(result)]
    said = in_words(found.opinions)
    rows = "".join(_html_row(result, folder) for result in found.results)
    noted = f"<div>{linked(note)}</div>" if note else ""
    table = f'<table style="border-collapse:collapse;margin:.4em 0">{rows}</table>'
    second = _fold(said[0].rstrip(":"), "\n".join(said[1:])) if said else ""
    body = f"<div><b>{safe(head)}</b>{noted}{table}{second}</div>"
    return Cell(body, "\n".join(map(clean, (*lines, *said))))


def building(name: str, events: Iterable[BuildEvent]) -> Cell:
    """What the build does at the moment: its last steps, and a bar that moves by itself."""
    shown = list(events)[-STEPS_SHOWN:]
    rows = "".join(f"<div>{_step_mark(e)} {safe(_step(e))}</div>" for e in shown)
    head = f'<progress style="width:12em;vertical-align:middle"></progress> Checking {safe(name)}'
    return Cell(f'<div>{head}<div style="opacity:.8">{rows}</div></div>', f"Checking {clean(name)}")


def step_line(event: BuildEvent) -> str:
    """One step that ended, as a line."""
    return f"  {event.status:6} {clean(_step(event))}"


def files(found: Mapping[Path, str]) -> Cell:
    """Some files with their text."""
    parts = [f"<div><b>{safe(p)}</b>{_pre(text)}</div>" for p, text in found.items()]
    text = "\n".join(f"# {p}\n{t.rstrip()}\n" for p, t in found.items())
    return Cell("".join(parts), clean(text))


def exercise(title: str, task: str, folder: str, names: Sequence[str]) -> Cell:
    """What is to be done and where. ``folder`` is relative, so that JupyterLab opens the files."""
    links = ", ".join(f'<a href="{safe(f"{folder}/{n}")}">{safe(n)}</a>' for n in names)
    where = f"Edit in <code>{safe(folder)}</code>: {links}"
    body = f"<b>{safe(title)}</b><div>{prose(task)}</div><div>{where}</div>"
    return Cell(_boxed(body, "#787878"), f"{title}\n{task}\nEdit in {folder}: {', '.join(names)}")


def question(text: str, choices: Sequence[str], chosen: str | None) -> str:
    """A prediction as plain text, for where there are no radio buttons."""
    marks = ["(•)" if c == chosen else "( )" for c in choices]
    return "\n".join([text, *(f"  {m} {c}" for m, c in zip(marks, choices, strict=True))])


def reflection(predicted: str | None, measured: object, what: str = "Measured") -> Cell:
    """The prediction against what was measured."""
    mine = f"You predicted: {predicted}" if predicted else "You made no prediction."
    body = f"<div>{safe(mine)}</div><div>{safe(what)}: <b>{safe(measured)}</b></div>"
    return Cell(_boxed(body, "#787878"), f"{clean(mine)}\n{clean(what)}: {clean(measured)}")


def printed(text: str) -> Cell:
    """What a program printed, all of it. Small, so that a wide table fits."""
    style = "white-space:pre-wrap;font-size:.85em;max-height:40em;overflow:auto;margin:.3em 0"
    body = f'<pre style="{style}">{safe(text, len(text))}</pre>'
    return Cell(body, clean(text, len(text)))


def image(png: bytes, alt: str, width: int) -> Cell:
    """A picture, and its sentence for those who can't see it."""
    data = base64.b64encode(png).decode()
    style = f"width:{int(width)}px;max-width:100%;height:auto"
    source = f"data:image/png;base64,{data}"
    return Cell(
        f'<img style="{style}" alt="{safe(alt)}" src="{source}">', f"[picture: {clean(alt)}]"
    )


def replay(mark: str, parts: Sequence[Cell]) -> Cell:
    """What was recorded elsewhere, in a frame that says so above and below."""
    style = f"border:2px dashed {COLORS[Outcome.ERROR]};padding:.3em .8em;margin:.3em 0"
    head = f'<div style="color:{COLORS[Outcome.ERROR]};font-weight:bold">{safe(mark)}</div>'
    body = "".join(part.html for part in parts)
    foot = f'<div style="color:{COLORS[Outcome.ERROR]}">{REPLAYED}</div>'
    text = "\n".join([clean(mark), *(part.text.rstrip("\n") for part in parts), REPLAYED])
    return Cell(f'<div style="{style}">{head}{body}{foot}</div>', text)


def standing(table: str, rows: Sequence[tuple[str, str | None, str | None]]) -> Cell:
    """The exercises' states, and below them each prediction beside its measurement."""
    lines = [f"{id_}: predicted {p}; measured {m or 'nothing yet'}" for id_, p, m in rows]
    text = "\n".join([table, *([""] if lines else []), *lines])
    return Cell(_pre(text), clean(text))


def _score(found: Report) -> str:
    if not found.gradable:
        return "the machine could not measure all of it, so nothing is counted. Check again."
    score = f"{found.points:g} of {found.max_points:g} points"
    if left_out := sum(not r.measurable for r in found.results):
        score += f" ({left_out} of {len(found.results)} checks cannot be measured here)"
    return score


def _points(result: Result) -> str:
    """What it gives; nothing for a check that others build on, and that is worth none itself."""
    if not result.max_points:
        return ""
    return f"{result.points:g}/{result.max_points:g}" if result.measurable else "-"


def _said(result: Result) -> str:
    where = f" ({result.place})" if result.line else ""
    return f"{result.message}{where}".strip()


def _text_row(result: Result) -> list[str]:
    lines = _said(result).splitlines()
    return [
        " ".join(filter(None, (result.outcome.mark, _points(result), result.title or result.id))),
        *(f"    {line}" for line in lines),
    ]


def _html_row(result: Result, folder: str) -> str:
    words, _, output = result.message.strip().partition("\n")  # the rest is what it printed
    printed = _pre(output) if output else ""
    where = f" {_place(result, folder)}" if result.line else ""
    said = f'<div style="white-space:pre-wrap">{safe(words)}{where}</div>{printed}{_output(result)}'
    cells = (_mark(result.outcome), safe(result.title or result.id), _points(result), said)
    tds = "".join(f'<td style="{CELL}">{cell}</td>' for cell in cells)
    return f'<tr style="border-top:1px solid rgba(128,128,128,.35)">{tds}</tr>'


def _place(result: Result, folder: str) -> str:
    """JupyterLab opens such a link in its editor, at that line; it counts from 0."""
    name = safe(result.place)
    if not folder or result.line is None:
        return f"({name})"
    url = safe(f"{folder}/{quote(result.file)}#line={result.line - 1}")
    return f'(<a href="{url}">{name}</a>)'


def _output(result: Result) -> str:
    """What the evidence has of somebody's output: folded away below the message."""
    if result.outcome is Outcome.PASS:
        return ""
    texts = ((key, _lines(value)) for key, value in result.evidence.items())
    return "".join(_fold(key.replace("_", " "), text) for key, text in texts if text)


def _fold(title: str, text: str) -> str:
    inside = f"<summary>{safe(title)}</summary>{_pre(text)}"
    return f'<details style="margin-top:.2em">{inside}</details>'


def _lines(value: object) -> str:
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, str) for v in value):
        return "\n".join(value)
    return value if isinstance(value, str) and "\n" in value else ""


def _mark(outcome: Outcome) -> str:
    style = f"color:{COLORS[outcome]};font-weight:bold;white-space:nowrap"
    return f'<span style="{style}" title="{WORDS[outcome]}">{outcome.mark}</span>'


def _boxed(body: str, color: str) -> str:
    style = f"border-left:4px solid {color};padding:.3em .8em;margin:.3em 0;max-width:60em"
    return f'<div style="{style}">{body}</div>'


def _pre(text: str) -> str:
    style = "white-space:pre-wrap;max-height:24em;overflow:auto;padding:.5em;margin:.2em 0"
    frame = "border:1px solid rgba(128,128,128,.35)"
    return f'<pre style="{style};{frame}">{safe(text)}</pre>'


def prose(text: str) -> str:
    """An author's text: paragraphs, and `code` between backticks."""
    marked = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", safe(text.strip()))
    return "<br><br>".join(part.replace("\n", " ") for part in re.split(r"\n\s*\n", marked))


def _step(event: BuildEvent) -> str:
    where = f"line {event.line}: " if event.line else ""
    return f"{where}{textwrap.shorten(event.step, STEP_WIDTH, placeholder=' …')}"


def _step_mark(event: BuildEvent) -> str:
    if event.status == "running":
        return "…"
    outcome = Outcome.FAIL if event.status == "error" else Outcome.PASS
    kept = " (cached)" if event.status == "cached" else f" {event.seconds:.1f} s"
    return f"{_mark(outcome)}{kept}"
