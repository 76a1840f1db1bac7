"""The kinds of service by the names that people use; unknown kinds are listed under their own."""

from __future__ import annotations

from dataclasses import dataclass

CHATBOT = "chatbot"
OTHER = "other"  # in a catalog's URL: every kind that is not named here
LABELS = {
    CHATBOT: "Chat",
    "text-to-image": "Image generation",
    "image-editing": "Image editing",
    "speech-to-text": "Speech to text",
    "embedding": "Embedding",
    "video-generation": "Video",
    "audio-generation": "Audio",
}


@dataclass(frozen=True, slots=True)
class Use:
    """What people do here with a kind of service, and the name of the page's URL."""

    verb: str
    url_name: str
    icon: str


USES = {
    CHATBOT: Use("Chat", "chat:home", "chat-bubble-left-right"),
    "text-to-image": Use("Generate", "studio:images", "sparkles"),
    "image-editing": Use("Edit", "studio:images", "paint-brush"),
    "speech-to-text": Use("Transcribe", "studio:speech", "microphone"),
}


def key(service_type: str) -> str:
    """Return the type itself where it has a name here, else OTHER."""
    return service_type if service_type in LABELS else OTHER


def label(service_type: str) -> str:
    """Return the name of a service type; an unknown one is hostile text, to be shown as such."""
    return LABELS.get(service_type, service_type or "Unnamed type")
