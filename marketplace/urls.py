from django.urls import path

from marketplace import verification_views, views

app_name = "marketplace"
urlpatterns = [
    path("", views.catalog, name="catalog"),
    path("health/", views.health, name="health"),
    path("providers/<str:address>/", views.provider, name="provider"),
    path(
        "providers/<str:address>/verification/",
        verification_views.verification,
        name="verification",
    ),
    path(
        "providers/<str:address>/verification/evidence/",
        verification_views.evidence,
        name="evidence",
    ),
    path(
        "providers/<str:address>/verification/reports/<str:file>",
        verification_views.report_file,
        name="report_file",
    ),
]
