"""A to-do list as FastAPI's tutorial would write it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Task(BaseModel):
    title: str
    done: bool = False


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.tasks = [Task(title="read the README")]
    yield
    print("goodbye")


app = FastAPI(lifespan=lifespan)


@app.get("/tasks")
async def tasks() -> list[Task]:
    return app.state.tasks


@app.post("/tasks", status_code=201)
async def add(task: Task) -> Task:
    app.state.tasks.append(task)
    return task


@app.get("/tasks/{number}")
def one(number: int) -> Task:
    if number >= len(app.state.tasks):
        raise HTTPException(404, f"no task {number}")
    return app.state.tasks[number]


@app.get("/count")
async def count() -> StreamingResponse:
    return StreamingResponse((f"{n}\n" for n in range(3)), media_type="text/plain")


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text.upper())
