"""A guest book as Flask's quickstart would write it."""

from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.get("/")
def index() -> str:
    return f"<h1>Hello, {request.args.get('name', 'World')}!</h1>"


@app.post("/echo")
def echo() -> Response:
    return jsonify(request.get_json())


@app.post("/upload")
def upload() -> dict[str, int]:
    return {name: len(file.read()) for name, file in request.files.items()}


@app.get("/count")
def count() -> Response:
    return Response((f"{n}\n" for n in range(3)), mimetype="text/plain")
