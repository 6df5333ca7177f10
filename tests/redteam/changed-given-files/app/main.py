"""Always 4."""

raise SystemExit("not the course's")
