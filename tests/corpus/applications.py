"""Applications that link, redirect, log in and page, by framework; `HANDLERS` has code and handler of each."""

FASTAPI = """
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import RedirectResponse

app = FastAPI()
below = FastAPI()

@app.get("/login")
async def login(request: Request, next: str):
    answer = RedirectResponse(next, 303)
    answer.set_cookie("who", "Ada")
    return answer

@app.get("/secret")
async def secret(request: Request):
    if "who" not in request.cookies:
        return RedirectResponse(request.url_for("login").include_query_params(next=request.url.path), 303)
    return {"who": request.cookies["who"]}

@app.get("/items/")
async def items(request: Request):
    return {"next": str(request.url.include_query_params(page=2))}

@app.websocket("/ws")
async def ws(socket: WebSocket):
    await socket.accept()
    await socket.send_json({key: str(socket.scope[key]) for key in ("scheme", "path", "raw_path", "root_path")})
    await socket.close()

@below.get("/leaf")
async def leaf(request: Request):
    return {"self": str(request.url_for("leaf")), "scope": [str(request.scope[k]) for k in ("path", "raw_path")]}

app.mount("/below", below)
"""
FLASK = """
from flask import Flask, redirect, request, session, url_for

app = Flask(__name__)
app.secret_key = "only for this test"

@app.get("/login")
def login():
    session["who"] = "Ada"
    return redirect(request.args["next"], 303)

@app.get("/secret")
def secret():
    if "who" not in session:
        return redirect(url_for("login", next=request.script_root + request.path), 303)
    return {"who": session["who"]}

@app.get("/items/")
def items():
    return {"next": url_for("items", page=2, _external=True), "raw": request.environ["RAW_URI"]}
"""
DJANGO = """
import django, os
from django.conf import settings

settings.configure(
    SECRET_KEY="only for this test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, STATIC_URL="static/", DEBUG=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER + "/db-" + os.environ["SELF"]}},
    INSTALLED_APPS=["django.contrib." + name for name in ("admin", "auth", "contenttypes", "sessions", "messages")],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
        "context_processors": ["django.template.context_processors.request",
            "django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"]}}],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.contrib import admin
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
wsgi = get_wsgi_application()
asgi = get_asgi_application()

def prepare():
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User
    if not User.objects.exists():
        User.objects.create_superuser("ada", "", "secret")
    from django.db import connections
    connections.close_all()

import threading
thread = threading.Thread(target=prepare)
thread.start()
thread.join()
"""
FRAMEWORK = """
import functions_framework
from flask import request

@functions_framework.http
def hello(request):
    return {"root": request.script_root, "path": request.path, "url": request.url}
"""
RAW = """
def wsgi(environ, start_response):
    start_response("200 OK", [])
    names = ("SCRIPT_NAME", "PATH_INFO", "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR")
    return [repr([environ[name] for name in names]).encode()]

def handle(request, context):
    return [request.path, request.target.decode()]
"""
HANDLERS = {
    "fastapi": (FASTAPI, "app"),
    "flask": (FLASK, "app"),
    "django-wsgi": (DJANGO, "wsgi"),
    "django-asgi": (DJANGO, "asgi"),
    "framework": (FRAMEWORK, "hello"),
    "wsgi": (RAW, "wsgi"),
    "native": (RAW, "handle"),
}
