"""Serves as a user who may become root again at any time."""

import os

import uvicorn

os.setresuid(0, 10001, 0)
uvicorn.run("app.main:app", host="0.0.0.0", port=8000)
