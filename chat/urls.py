from django.urls import path

from chat.views import archive, beside, branches, history, pages, proof, stream, turns

app_name = "chat"
urlpatterns = [
    path("", pages.home, name="home"),
    path("history/", history.history, name="history"),
    path("export.json", archive.export_all, name="export"),
    path("imports/", archive.imports, name="imports"),
    path("new/", turns.start, name="start"),
    path("ready/<str:address>/", pages.start_ready, name="start-ready"),
    path("beside/", beside.beside, name="beside"),
    path("beside/steps/<str:address>/", beside.step, name="beside-step"),
    path("beside/<uuid:pk>/", beside.comparison, name="comparison"),
    path("beside/<uuid:pk>/turns/", beside.turns, name="comparison-turns"),
    path("beside/<uuid:pk>/pick/", beside.pick, name="comparison-pick"),
    path("<uuid:pk>/", pages.conversation, name="conversation"),
    path("<uuid:pk>/ready/", pages.ready, name="ready"),
    path("<uuid:pk>/asking/", pages.asking, name="asking"),
    path("<uuid:pk>/export.json", archive.export_json, name="export-json"),
    path("<uuid:pk>/export.md", archive.export_markdown, name="export-markdown"),
    path("<uuid:pk>/pin/", history.pin, name="pin"),
    path("<uuid:pk>/unpinning/", history.unpinning, name="unpinning"),
    path("<uuid:pk>/title/", history.title, name="title"),
    path("<uuid:pk>/deletion/", history.deletion, name="deletion"),
    path("<uuid:pk>/restoration/", history.restoration, name="restoration"),
    path("<uuid:pk>/turns/", turns.turn, name="turn"),
    path("answers/<uuid:pk>/stream/", stream.stream, name="stream"),
    path("messages/<uuid:pk>/", branches.message, name="message"),
    path("messages/<uuid:pk>/choice/", branches.choice, name="choice"),
    path("questions/<uuid:pk>/edit/", branches.edit, name="edit"),
    path("answers/<uuid:pk>/again/", turns.again, name="again"),
    path("answers/<uuid:pk>/continuation/", turns.continuation, name="continuation"),
    path("answers/<uuid:pk>/stop/", turns.stop, name="stop"),
    path("answers/<uuid:pk>/check/", proof.check, name="check"),
    path("answers/<uuid:pk>/evidence.json", proof.evidence, name="evidence"),
]
