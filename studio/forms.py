"""What people may order: each form with the key that makes sending it twice harmless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from django import forms

from accounts import pictures
from accounts.models import Wallet
from accounts.pictures import CleanPicture
from accounts.stored import read_upload
from marketplace.offers import Offer
from studio.models import File, Work
from studio.offered import words_of
from zgcompute.errors import InvalidBody
from zgcompute.transcripts import FORMATS
from zgcompute.uploads import MAX_UPLOAD, Upload

MAX_PROMPT = 4000  # characters
MAX_IMAGES = 4  # in one request
SIZES = ("256x256", "512x512", "768x768", "1024x1024", "1024x768", "768x1024")
FORMAT_NAMES = {
    "json": "Text and length (JSON)",
    "text": "Plain text",
    "srt": "SRT subtitles",
    "vtt": "WebVTT subtitles",
    "verbose_json": "Verbose JSON",
}
LANGUAGES = (
    *(("", "Detect"), ("ar", "Arabic"), ("zh", "Chinese"), ("cs", "Czech"), ("da", "Danish")),
    *(("nl", "Dutch"), ("en", "English"), ("fi", "Finnish"), ("fr", "French")),
    *(("de", "German"), ("el", "Greek"), ("he", "Hebrew"), ("hi", "Hindi"), ("hu", "Hungarian")),
    *(("id", "Indonesian"), ("it", "Italian"), ("ja", "Japanese"), ("ko", "Korean")),
    *(("no", "Norwegian"), ("pl", "Polish"), ("pt", "Portuguese"), ("ro", "Romanian")),
    *(("ru", "Russian"), ("es", "Spanish"), ("sv", "Swedish"), ("th", "Thai"), ("tr", "Turkish")),
    *(("uk", "Ukrainian"), ("vi", "Vietnamese")),
)

# What was chosen outlives the form around it: no page may choose a file again by itself.
_FILE_INPUT = {"class": "input", "hx-preserve": "true"}


class WorkForm(forms.Form):
    """What every order has."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    setting_names: tuple[str, ...] = ()
    source_role = ""  # of the kept file that the order may start from

    def __init__(
        self,
        *args: Any,
        wallet: Wallet | None,
        network: str,
        models: Sequence[Offer] = (),
        **options: Any,
    ) -> None:
        options.setdefault("initial", {}).setdefault("key", uuid4())
        super().__init__(*args, **options)
        self._wallet, self._network, self._models = wallet, network, models
        if len(models) > 1:
            self.fields["model"] = forms.ChoiceField(
                label="Model",
                choices=[(one.name, words_of(one)) for one in models],
                widget=forms.Select(attrs={"class": "input"}),
            )

    @property
    def order_key(self) -> UUID:
        key: UUID = self.cleaned_data["key"]
        return key

    @property
    def chosen_model(self) -> str:
        """The chosen one of the service's models, or its only one; "" where none is known."""
        if "model" in self.fields:
            return str(self.cleaned_data["model"])
        return self._models[0].name if self._models else ""

    @property
    def words(self) -> str:
        """The prompt, where the order has one."""
        return str(self.cleaned_data.get("prompt", ""))

    @property
    def settings(self) -> dict[str, Any]:
        """What is asked for beside the prompt, without what is left to the provider."""
        chosen = ((name, self.cleaned_data[name]) for name in self.setting_names)
        return {name: value for name, value in chosen if value not in ("", None, False)}

    @property
    def upload(self) -> CleanPicture | Upload | File | None:
        """The picture or recording to send, or the kept file of it."""
        return None

    @property
    def kept(self) -> File | None:
        """The file of an earlier work that the form starts from, as it was asked for."""
        named = self["source"].value() if "source" in self.fields else None
        return self._file(named) if named else None

    def _file(self, named: object) -> File | None:
        """The wallet's own file of that key; strangers' do not exist."""
        if self._wallet is None:
            return None
        try:
            key = UUID(str(named))
        except ValueError:
            return None
        own = File.objects.filter(work__wallet=self._wallet, work__network=self._network, pk=key)
        return own.select_related("work").first()


class ImageForm(WorkForm):
    """An order of new pictures."""

    prompt = forms.CharField(
        max_length=MAX_PROMPT,
        label="Prompt",
        error_messages={"required": "Describe the picture first."},
        widget=forms.Textarea(attrs={"class": "input", "rows": 3}),
    )
    n = forms.IntegerField(
        min_value=1,
        max_value=MAX_IMAGES,
        initial=1,
        label="How many",
        help_text="Each is billed.",
        widget=forms.NumberInput(attrs={"class": "input"}),
    )
    size = forms.ChoiceField(
        required=False,
        label="Size",
        help_text="Pixels; the price is the same.",
        choices=[("", "Provider's choice"), *((s, s.replace("x", " × ")) for s in SIZES)],
        widget=forms.Select(attrs={"class": "input"}),
    )
    as_job = forms.BooleanField(
        required=False,
        label="Run as a job at the provider",
        help_text="It goes on there even if this site stops, and comes some seconds later. A "
        "provider without jobs is asked directly.",
    )
    setting_names = ("n", "size", "as_job")


class EditForm(WorkForm):
    """An order of a picture's edit."""

    image = forms.FileField(
        required=False,
        label="Picture",
        help_text=f"PNG, JPEG or WebP, at most {MAX_UPLOAD >> 20} MB. Place, camera and comments "
        "are taken out before it is sent.",
        error_messages={"empty": "The file is empty. Choose another file."},
        widget=forms.FileInput(attrs=_FILE_INPUT | {"accept": pictures.ACCEPTED}),
    )
    source = forms.UUIDField(required=False, widget=forms.HiddenInput)
    prompt = forms.CharField(
        max_length=MAX_PROMPT,
        label="What to change",
        error_messages={"required": "Say what to change first."},
        widget=forms.Textarea(attrs={"class": "input", "rows": 2}),
    )
    size = ImageForm.base_fields["size"]
    as_job = ImageForm.base_fields["as_job"]
    setting_names = ("size", "as_job")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if "image" in self.errors:
            return values
        sent = values.get("image")
        try:
            values["upload"] = (
                pictures.clean(read_upload(sent, MAX_UPLOAD))
                if sent
                else self._kept_picture(values)
            )
        except InvalidBody as error:
            self.add_error("image", f"{error} {error.advice}")
        return values

    def _kept_picture(self, values: dict[str, Any]) -> File:
        file = self._file(values.get("source"))
        if file is None or not file.is_shown:
            raise InvalidBody("There is no picture yet.", advice="Choose one to edit.")
        return file

    @property
    def upload(self) -> CleanPicture | Upload | File | None:
        upload: CleanPicture | File = self.cleaned_data["upload"]
        return upload


class SpeechForm(WorkForm):
    """An order of a transcript."""

    recording = forms.FileField(
        required=False,
        label="Recording",
        help_text=f"WAV, MP3, FLAC, Ogg, M4A or WebM, at most {MAX_UPLOAD >> 20} MB.",
        error_messages={"empty": "The file is empty. Choose another file."},
        widget=forms.FileInput(attrs=_FILE_INPUT | {"accept": "audio/*,video/webm,video/mp4"}),
    )
    source = forms.UUIDField(required=False, widget=forms.HiddenInput)
    response_format = forms.ChoiceField(
        choices=[(name, FORMAT_NAMES[name]) for name in FORMATS],
        initial="verbose_json",
        label="Output",
        widget=forms.Select(attrs={"class": "input"}),
    )
    language = forms.ChoiceField(
        required=False,
        choices=LANGUAGES,
        label="Language",
        widget=forms.Select(attrs={"class": "input"}),
    )
    setting_names = ("response_format", "language")

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if "recording" in self.errors:
            return values
        sent = values.get("recording")
        try:
            if sent:
                values["upload"] = Upload.recording(read_upload(sent, MAX_UPLOAD))
            else:
                values["upload"] = self._kept_recording(values)
        except InvalidBody as error:
            self.add_error("recording", f"{error} {error.advice}")
        return values

    def _kept_recording(self, values: dict[str, Any]) -> File:
        file = self._file(values.get("source"))
        if file is None or file.work.kind != Work.Kind.SPEECH:
            raise InvalidBody("There is no recording yet.", advice="Choose a file, or record one.")
        return file

    @property
    def upload(self) -> CleanPicture | Upload | File | None:
        upload: Upload | File = self.cleaned_data["upload"]
        return upload
