from django.urls import path

from marketplace import views

app_name = "marketplace"
urlpatterns = [path("", views.catalog, name="catalog")]
