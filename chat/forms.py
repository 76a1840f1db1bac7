"""What people may send: a question, and how the model is to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

MAX_QUESTION = 32_000  # characters
MAX_SYSTEM_PROMPT = 8_000
_PROMPT = "system_prompt"
MAX_IMPORT = 50 * 2**20  # bytes

_TOO_LONG = "This is %(show_value)d characters long; a message may have %(limit_value)d."


class _SeveralFiles(forms.FileField):
    """Any number of files under one name."""

    class widget(forms.FileInput):
        allow_multiple_selected = True

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        sent = data if isinstance(data, list | tuple) else [data] if data else []
        return [super(_SeveralFiles, self).clean(one, initial) for one in sent]


class _SeveralKeys(forms.Field):
    """Any number of values under one name, as they came."""

    widget = forms.MultipleHiddenInput


class QuestionForm(forms.Form):
    """A message to the model, with the key that makes sending it twice harmless.

    `pictures` are new, `kept` are keys of those of the question that is asked in other words.
    """

    turn_key = forms.UUIDField()
    after = forms.UUIDField(required=False)  # the answer that it follows
    text = forms.CharField(
        max_length=MAX_QUESTION,
        error_messages={"required": "Write a message first.", "max_length": _TOO_LONG},
    )
    pictures = _SeveralFiles(
        required=False, error_messages={"empty": "A picture is empty. Choose another file."}
    )
    kept = _SeveralKeys(required=False)

    @property
    def uploads(self) -> list[UploadedFile[bytes]]:
        uploads: list[UploadedFile[bytes]] = self.cleaned_data["pictures"]
        return uploads

    @property
    def kept_keys(self) -> set[str]:
        return set(self.cleaned_data["kept"] or ())

    @property
    def key(self) -> UUID:
        key: UUID = self.cleaned_data["turn_key"]
        return key

    @property
    def problem(self) -> str:
        """The first thing that is wrong, in words."""
        for name, errors in self.errors.items():
            return (
                str(errors[0])
                if name in ("text", "pictures")
                else "This form is incomplete. Reload the page."
            )
        return ""


def form_key(data: Mapping[str, str]) -> UUID | None:
    """The key of a form that asks without words, or None where it came without one."""
    with suppress(ValidationError):
        key: UUID | None = forms.UUIDField(required=False).clean(data.get("turn_key"))
        return key
    return None


class ImportForm(forms.Form):
    """A file of conversations."""

    file = forms.FileField(error_messages={"required": "Choose a file first."})

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if file.size is None or file.size > MAX_IMPORT:
            raise ValidationError(f"The file is larger than {MAX_IMPORT // 2**20} MB.")
        return file


class TitleForm(forms.Form):
    """What a conversation is called."""

    title = forms.CharField(max_length=120)


class AskingForm(forms.Form):
    """How the model is asked; what is left empty is left to the provider."""

    system_prompt = forms.CharField(
        required=False,
        max_length=MAX_SYSTEM_PROMPT,
        label="System prompt",
        help_text="Sent ahead of every message: who the model should be, how it should answer.",
        widget=forms.Textarea(attrs={"class": "input", "rows": 3}),
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=2,
        label="Temperature",
        help_text="0 to 2: higher is freer.",
        widget=forms.NumberInput(attrs={"class": "input", "step": "0.1", "placeholder": "auto"}),
    )
    top_p = forms.FloatField(
        required=False,
        min_value=0,
        max_value=1,
        label="Top p",
        help_text="0 to 1: lower keeps to likely words.",
        widget=forms.NumberInput(attrs={"class": "input", "step": "0.05", "placeholder": "auto"}),
    )
    max_tokens = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1_000_000,
        label="Most tokens",
        help_text="Cuts the answer, and its cost.",
        widget=forms.NumberInput(attrs={"class": "input", "placeholder": "auto"}),
    )
    seed = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31 - 1,
        label="Seed",
        help_text="The same seed asks for the same answer.",
        widget=forms.NumberInput(attrs={"class": "input", "placeholder": "auto"}),
    )

    reasoning_effort = forms.ChoiceField(
        required=False,
        choices=[("", "auto"), *((effort, effort) for effort in ("low", "medium", "high"))],
        label="Reasoning effort",
        help_text="How much the model thinks first; thinking is billed.",
        widget=forms.Select(attrs={"class": "input"}),
    )

    def __init__(self, *args: Any, takes_effort: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not takes_effort:
            del self.fields["reasoning_effort"]

    @property
    def parameters(self) -> dict[str, Any]:
        """What is sent beside the messages."""
        given = {name: self.cleaned_data.get(name) for name in self.fields if name != _PROMPT}
        return {name: value for name, value in given.items() if value not in (None, "")}
