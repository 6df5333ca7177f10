"""Pictures for the notebooks, one module a subject. Each can be drawn from what is known already.

Nothing is judged here.
"""

from grader.plots.figure import Picture
from grader.plots.images import capabilities, ladder, layer_bars, startup, treemap

__all__ = ["Picture", "capabilities", "ladder", "layer_bars", "startup", "treemap"]
