from django.urls import path

from marketplace import model_views

app_name = "models"
urlpatterns = [
    path("models/<path:key>/", model_views.model, name="model"),
    path("compare/", model_views.compare, name="compare"),
]
