"""Two causes are swapped, and with them their evidence."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "five-patients"))
from solve import told

names = sys.argv[1:]
said = [told(name) for name in names]
said[0], said[1] = said[1], said[0]
for name, (cause, evidence) in zip(names, said, strict=True):
    print(f'[{name}]\ncause = "{cause}"\nevidence = "{evidence}"\n')
