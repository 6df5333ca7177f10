"""Grades Docker work: builds a submission, measures what it does, reports."""
