"""What can be made here: the service type that makes it, its form, and the page it is on."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from marketplace.models import Service
from studio.forms import EditForm, ImageForm, SpeechForm, WorkForm
from studio.models import Work


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the studio; `key` is the name of its URL."""

    key: str
    title: str
    lead: str
    types: tuple[str, ...]
    empty: str

    def url(self, network: str) -> str:
        return reverse(f"studio:{self.key}", args=(network,))

    def ready_url(self, network: str, provider: str) -> str:
        return reverse(f"studio:{self.key}-ready", args=(network, provider))

    def orders_url(self, network: str) -> str:
        return reverse(f"studio:{self.key}-orders", args=(network,))


IMAGES = Place(
    "images",
    "Images",
    "Pictures are made by independent providers, billed to the neuron, and each is checked "
    "against its provider's signature.",
    ("text-to-image", "image-editing"),
    "No image provider on this network",
)
SPEECH = Place(
    "speech",
    "Speech to text",
    "Recordings are written down by independent providers, billed to the neuron, and each "
    "transcript is checked against its provider's signature.",
    ("speech-to-text",),
    "No speech provider on this network",
)
FORMS: dict[str, type[WorkForm]] = {
    Work.Kind.IMAGE: ImageForm,
    Work.Kind.EDIT: EditForm,
    Work.Kind.SPEECH: SpeechForm,
}
_KINDS = {
    "text-to-image": Work.Kind.IMAGE,
    "image-editing": Work.Kind.EDIT,
    "speech-to-text": Work.Kind.SPEECH,
}


def kind_of(service: Service) -> Work.Kind:
    """What the service makes; raises KeyError where it makes nothing that is shown here."""
    return _KINDS[service.service_type]


def place_of(work: Work) -> Place:
    """The page that the work was ordered on."""
    return SPEECH if work.kind == Work.Kind.SPEECH else IMAGES
