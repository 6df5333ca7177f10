"""The labels on everything we make in an engine, so that it can be found and removed.

No engine is asked anything here.
"""

RUN = "lab.run"  # value: the run that made it, and which process that was
REFERENCE = "lab.reference"  # value: a digest of the recipe; kept between runs
STANDIN = "lab.standin"  # value: the real image that this one stands in for
SIMULATED_GPU = "lab.gpu=simulated"  # of an engine, not of an object: its GPUs do not exist
KIND = "lab.kind"  # value: what it is for: submission, probe, canary, reference …
