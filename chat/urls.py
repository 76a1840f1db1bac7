from django.urls import path

from chat.views import pages, proof, stream, turns

app_name = "chat"
urlpatterns = [
    path("", pages.home, name="home"),
    path("new/", turns.start, name="start"),
    path("ready/<str:address>/", pages.start_ready, name="start-ready"),
    path("<uuid:pk>/", pages.conversation, name="conversation"),
    path("<uuid:pk>/ready/", pages.ready, name="ready"),
    path("<uuid:pk>/asking/", pages.asking, name="asking"),
    path("<uuid:pk>/deletion/", pages.deletion, name="deletion"),
    path("<uuid:pk>/turns/", turns.turn, name="turn"),
    path("answers/<uuid:pk>/stream/", stream.stream, name="stream"),
    path("answers/<uuid:pk>/again/", turns.again, name="again"),
    path("answers/<uuid:pk>/stop/", turns.stop, name="stop"),
    path("answers/<uuid:pk>/check/", proof.check, name="check"),
    path("answers/<uuid:pk>/evidence.json", proof.evidence, name="evidence"),
]
