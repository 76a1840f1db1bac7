"""The chat application, which tells the account pages what its requests were about."""

from django.apps import AppConfig


class Chat(AppConfig):
    name = "chat"

    def ready(self) -> None:
        from accounts import subjects
        from chat.billed import subjects_of

        subjects.register(subjects_of)
