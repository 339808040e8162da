"""A Django project in one file: settings, a view, the WSGI application."""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY", "only-for-this-example"),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup()


def hello(_request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"Hello, {name}!")


@csrf_exempt
def total(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"total": sum(int(n) for n in request.POST.getlist("n"))})


urlpatterns = [path("hello/<str:name>", hello), path("total", total)]
application = get_wsgi_application()
