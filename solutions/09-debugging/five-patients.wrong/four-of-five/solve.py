"""One of them has no answer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "five-patients"))
from solve import main

main(sys.argv[1:-1])
