"""The service, which is gone as soon as it has answered twenty pictures."""

import os
import threading

import uvicorn
from app.main import app

answers: list[str] = []


@app.middleware("http")
async def leave(request, call_next):
    response = await call_next(request)
    answers.append(request.url.path)
    if answers.count("/predict") == 20:
        threading.Timer(0.05, os._exit, [0]).start()
    return response


uvicorn.run(app, host="0.0.0.0", port=8000)
