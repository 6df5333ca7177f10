"""The machine under the course: its Docker Engine, its base images, its JupyterLab.

Not here: anything about labs, checks or marks.
"""
