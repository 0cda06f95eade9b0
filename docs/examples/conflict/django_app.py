"""A guarded form on Django, in one file. Used by docs/howto/conflicts.md."""

import os
from concurrent.futures import ThreadPoolExecutor

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from jinja2 import Environment

from htmx_rt import Realtime, RealtimeMiddleware
from htmx_rt.merge import text, whole, words

rt = Realtime(secret=os.environ["RT_SECRET"], identify=lambda request: request.cookies.get("person"))
docs = rt.guard("doc:{pk}", {"title": whole, "body": text, "tags": words}, preset="live", to="/")


def environment(**options):
    jinja = Environment(**options)
    rt.install(jinja)
    return jinja


settings.configure(
    SECRET_KEY=os.environ["RT_SECRET"],
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("DATABASE", "docs.db")}},
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.jinja2.Jinja2",
            "DIRS": ["templates"],
            "OPTIONS": {"environment": f"{__name__}.environment"},
        }
    ],
)
django.setup()

from django.db import connection, models  # noqa: E402


class Doc(models.Model):
    title = models.CharField(max_length=200)
    body = models.TextField()
    tags = models.CharField(max_length=200)
    lock_version = models.IntegerField(default=1)

    class Meta:
        app_label = "docs"


@docs.answers(HttpResponse)
def doc(request, pk):
    if request.method == "GET":
        return render(request, "doc.html", {"doc": Doc.objects.get(pk=pk)})
    written = 0
    while not written:  # where somebody is faster, it is looked at again
        saving = docs.check(Doc.objects.filter(pk=pk).first(), request.POST).result()
        same = Doc.objects.filter(pk=pk, lock_version=saving.version)
        written = same.update(**saving.values, lock_version=saving.version + 1)
    saved = saving.row
    saving.apply(saved)
    saved.lock_version = saving.version + 1
    saving.done(saved)
    if rt.is_htmx(request):
        return render(request, "doc_form.html", {"doc": saved})
    return redirect(request.path)


urlpatterns = [path("docs/<int:pk>", doc)]


def create():
    if Doc._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as schema:
            schema.create_model(Doc)
    Doc.objects.get_or_create(pk=7, defaults={"title": "Plan", "body": "One.\nTwo.\nThree.\n", "tags": "draft"})
    connection.close()


with ThreadPoolExecutor() as pool:  # Django wants no database on a loop, where uvicorn imports this
    pool.submit(create).result()

app = RealtimeMiddleware(get_asgi_application(), rt=rt)
