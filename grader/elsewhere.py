"""Where the rest can be graded by somebody who has no Docker Engine here.

``LAB_CODESPACES`` names the address; on Binder it is the repository that Binder names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from grader.cells import WEB
from grader.results import Report

SETTING = "LAB_CODESPACES"
BINDERS = "BINDER_REPO_URL"  # Binder sets it in what it starts
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")


def address(environ: Mapping[str, str] = os.environ) -> str:
    """Of a Codespace with this course in it; "" where nobody has said."""
    named = environ.get(SETTING, "").strip()
    if WEB.fullmatch(named):
        return named
    match = GITHUB.fullmatch(environ.get(BINDERS, ""))
    return f"https://codespaces.new/{match[1]}" if match else ""


def where(environ: Mapping[str, str] = os.environ) -> str:
    """A sentence: how to get an engine."""
    link = address(environ)
    if link:
        return f"All of it can be graded in GitHub Codespaces: {link}"
    return "All of it can be graded in GitHub Codespaces, or on a machine with Docker."


def left_out(report: Report, environ: Mapping[str, str] = os.environ) -> str:
    """What of a report could not be graded for want of an engine, and where; "" for none."""
    missing = sum(not row.measurable for row in report.results)
    if not missing or report.engine.get("mode") != "static":
        return ""
    here = len(report.results) - missing
    graded = f"{here} of {len(report.results)} checks were graded here, by reading your files."
    rest = "The others build or run an image, and there is no Docker Engine here."
    return f"{graded} {rest} {where(environ)}"
