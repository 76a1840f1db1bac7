"""The kinds of service by the names that people use; unknown kinds are listed under their own."""

from __future__ import annotations

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


def key(service_type: str) -> str:
    """Return the type itself where it has a name here, else OTHER."""
    return service_type if service_type in LABELS else OTHER


def label(service_type: str) -> str:
    """Return the name of a service type; an unknown one is hostile text, to be shown as such."""
    return LABELS.get(service_type, service_type or "Unnamed type")
