"""Whether a learner has found out what ails five containers, from what the engine says of them."""

from __future__ import annotations

from grader.patients import CAUSES, FILE, Answers, Patient, Ward
from grader.registry import check
from grader.results import Result, failed, passed

AGAIN = "Make new ones (the notebook's cell, or `grader patients`), and look without touching."


@check
def answered(answers: Answers, *, count: int) -> Result:
    """There is an answer for each of {count} patients, with a cause from the list and evidence"""
    for name, said in answers.by_name.items():
        if said.cause not in CAUSES:
            known = ", ".join(CAUSES)
            what = f"{said.cause!r} is no cause of the list" if said.cause else "no cause is named"
            return failed(f"{name}: {what} ({known}).", line=said.line, file=FILE)
        if not said.evidence:
            return failed(
                f"{name}: no evidence. For {said.cause} it is {CAUSES[said.cause]}.",
                line=said.line,
                file=FILE,
            )
    if len(answers.by_name) != count:
        return failed(
            f"{FILE} has {len(answers.by_name)} answers, and there are {count} patients. Write a"
            " table for each of them: its name in brackets, cause and evidence below.",
            file=FILE,
        )
    return passed(f"{count} answers")


@check
def untouched(ward: Ward) -> Result:
    """They are the patients of one ward, all of it, and as ill as when they were admitted"""
    if ward.unknown:
        return failed(
            f"There is no patient called {ward.unknown[0]} on this engine now. `docker ps -a` shows"
            f" who is here. {AGAIN}"
        )
    if missing := sorted(ward.names - {one.name for one in ward.patients}):
        return failed(f"{missing[0]} is a patient of yours, too, and has no answer.")
    if len({one.ward for one in ward.patients}) != 1:
        return failed("These patients were not admitted together. Answer for the last five.")
    for one in ward.patients:
        if one.touched:
            return failed(
                f"{one.name} was started again: what it ended with the first time is overwritten,"
                f" and a restart has cured nobody. {AGAIN}"
            )
        if one.ails is None:
            return failed(
                f"{one.name} is no longer as it was ({one.seen}): somebody stopped or changed it."
                f" {AGAIN}"
            )
    return passed("nobody has touched them")


@check
def causes(ward: Ward, answers: Answers) -> Result:
    """Each cause is the right one"""
    wrong = [p for p in ward.patients if p.ails and p.ails.cause != answers.by_name[p.name].cause]
    if not wrong:
        return passed(f"{len(ward.patients)} of {len(ward.patients)}")
    told = " ".join(f"{p.name}: not {answers.by_name[p.name].cause}; {p.seen}." for p in wrong)
    return failed(
        f"{len(ward.patients) - len(wrong)} of {len(ward.patients)} are right. {told}",
        line=answers.by_name[wrong[0].name].line,
        file=FILE,
        wrong=[p.name for p in wrong],
    )


@check
def evidence(ward: Ward, answers: Answers) -> Result:
    """Each piece of evidence is what the engine says now"""
    wrong = [p for p in ward.patients if not _fits(p, answers)]
    if not wrong:
        return passed(f"{len(ward.patients)} of {len(ward.patients)}")
    first = answers.by_name[wrong[0].name]
    return failed(
        f"{wrong[0].name}: {first.evidence[:80]!r} is not {CAUSES[first.cause]}, as `docker inspect"
        f" {wrong[0].name}` or `docker logs {wrong[0].name}` has it now."
        f" {len(ward.patients) - len(wrong)} of {len(ward.patients)} are right.",
        line=first.line,
        file=FILE,
        wrong=[p.name for p in wrong],
    )


def _fits(patient: Patient, answers: Answers) -> bool:
    return (
        patient.ails is not None and patient.ails.evidence == answers.by_name[patient.name].evidence
    )
