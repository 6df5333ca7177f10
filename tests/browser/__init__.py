"""JupyterLab as a learner meets it, in a real browser."""
