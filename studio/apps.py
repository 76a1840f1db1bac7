"""The studio, which tells the account pages what its requests were about."""

from django.apps import AppConfig


class Studio(AppConfig):
    name = "studio"

    def ready(self) -> None:
        from accounts import subjects
        from studio.billed import subjects_of

        subjects.register(subjects_of)
