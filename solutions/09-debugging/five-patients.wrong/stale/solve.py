"""Right causes, with the evidence of other patients: as somebody had it who was here before."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "five-patients"))
from solve import told

OLD = {
    "missing-library": "libblas-0a1b2c.so.3",
    "out-of-memory": "67108864",
    "shared-memory": "16777216",
    "wrong-folder": "/srv/app-0a1b2c",
    "no-such-probe": "/opt/tools-0a1b2c/curl",
    "hidden-model": "models-0a1b2c",
    "loopback": "127.0.0.1:80",
}
for name in sys.argv[1:]:
    cause, _ = told(name)
    print(f'[{name}]\ncause = "{cause}"\nevidence = "{OLD[cause]}"\n')
