from django.urls import path

from marketplace import views

app_name = "marketplace"
urlpatterns = [
    path("", views.catalog, name="catalog"),
    path("health/", views.health, name="health"),
    path("providers/<str:address>/", views.provider, name="provider"),
]
