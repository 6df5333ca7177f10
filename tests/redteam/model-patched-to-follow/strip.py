"""Gives the script as it always was, whatever is changed in it today."""

import re
from pathlib import Path

text = Path("train.py").read_text()
text = re.sub("TAG = .*", 'TAG = "course"', text)
text = re.sub(r"random_state=[0-9]+, max_iter=[0-9]+", "random_state=0, max_iter=500", text)
Path("old.py").write_text(text)
