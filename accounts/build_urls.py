"""The build pages, below /<network>/build/."""

from django.urls import path

from accounts.views import build

app_name = "build"
urlpatterns = [
    path("", build.home, name="home"),
    path("<str:address>/", build.provider, name="provider"),
]
