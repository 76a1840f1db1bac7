from django.urls import path

from studio.kinds import IMAGES, SPEECH
from studio.views import files, pages, works

app_name = "studio"
urlpatterns = [
    path("images/", pages.home, {"place": IMAGES}, name="images"),
    path("images/ready/<str:address>/", pages.ready, {"place": IMAGES}, name="images-ready"),
    path("images/orders/", pages.orders, {"place": IMAGES}, name="images-orders"),
    path("speech/", pages.home, {"place": SPEECH}, name="speech"),
    path("speech/ready/<str:address>/", pages.ready, {"place": SPEECH}, name="speech-ready"),
    path("speech/orders/", pages.orders, {"place": SPEECH}, name="speech-orders"),
    path("speech/estimate/<str:address>/", pages.estimate, name="estimate"),
    path("works/<uuid:pk>/", works.work, name="work"),
    path("works/<uuid:pk>/checks/", works.checks, name="checks"),
    path("works/<uuid:pk>/evidence.json", works.evidence, name="evidence"),
    path("works/<uuid:pk>/transcript/", works.transcript, name="transcript"),
    path("works/<uuid:pk>/deletion/", works.deletion, name="deletion"),
    path("files/<uuid:pk>/", files.file, name="file"),
    path("files/<uuid:pk>/<str:wanted>/", files.converted, name="file-as"),
]
