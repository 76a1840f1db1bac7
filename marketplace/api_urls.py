from django.urls import path

from marketplace import api_views

app_name = "api"
urlpatterns = [
    path("openapi.json", api_views.document, name="openapi"),
    path("networks", api_views.networks, name="networks"),
    path("<slug:network>/models", api_views.models, name="models"),
    path("<slug:network>/providers/<str:address>", api_views.provider, name="provider"),
    path("<path:rest>", api_views.unknown),
]
