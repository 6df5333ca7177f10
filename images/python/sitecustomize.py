"""Gives Debian's Python the package folder of the original: site-packages.

Debian's `site` looks in dist-packages, and it is frozen into the interpreter: it can't be edited.
"""

import os
import site
import sys


def getsitepackages(prefixes=None):
    """As in the original: one folder for each prefix."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    known = dict.fromkeys(site.PREFIXES if prefixes is None else prefixes)
    return [os.path.join(prefix, "lib", version, "site-packages") for prefix in known]


site.getsitepackages = getsitepackages
for folder in getsitepackages():
    if os.path.isdir(folder) and folder not in sys.path:
        site.addsitedir(folder)
del folder
