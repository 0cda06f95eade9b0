"""The same with Django, in one file. Used by docs/howto/validation.md."""

import os

import django
from django import forms
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from jinja2 import Environment

from htmx_rt import Realtime, RealtimeMiddleware

rt = Realtime(secret=os.environ["RT_SECRET"], debug=True)


def environment(**options):
    jinja = Environment(**options)
    rt.install(jinja)
    return jinja


settings.configure(
    SECRET_KEY=os.environ["RT_SECRET"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.jinja2.Jinja2",
            "DIRS": ["templates"],
            "OPTIONS": {"environment": f"{__name__}.environment"},
        }
    ],
)
django.setup()


class Signup(forms.Form):
    name = forms.CharField(max_length=40)
    email = forms.EmailField()


def signup(request):
    form = Signup(request.POST or None)
    if request.method == "POST":
        answer = rt.validation(request, form.errors, make=HttpResponse)
        if answer is not None:
            return answer
        if form.is_valid():
            return redirect("/signup")
    values = {"values": request.POST, "errors": form.errors}
    return render(request, "django.html", values, status=422 if form.errors else 200)


urlpatterns = [path("signup", signup)]
app = RealtimeMiddleware(get_asgi_application(), rt=rt)
