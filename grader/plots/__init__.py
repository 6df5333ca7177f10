"""Pictures for the notebooks, one module a subject. Each can be drawn from what is known already.

Nothing is judged here.
"""

from grader.plots.builds import context_map, layer_diff, timeline
from grader.plots.figure import Picture
from grader.plots.flavours import arg_scope, image_diff
from grader.plots.health import health_timeline, kubelet_timeline, truth_table
from grader.plots.images import capabilities, ladder, layer_bars, startup, treemap
from grader.plots.latency import latencies
from grader.plots.shm import shm_gauge
from grader.plots.stats import live_stats
from grader.plots.stops import exit_codes, log_lag, stop_bars

__all__ = [
    "Picture",
    "arg_scope",
    "capabilities",
    "context_map",
    "exit_codes",
    "health_timeline",
    "image_diff",
    "kubelet_timeline",
    "ladder",
    "latencies",
    "layer_bars",
    "layer_diff",
    "live_stats",
    "log_lag",
    "shm_gauge",
    "startup",
    "stop_bars",
    "timeline",
    "treemap",
    "truth_table",
]
