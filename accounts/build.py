"""How to call a provider from code: snippets that run as they are shown.

Each snippet is a template file in templates/accounts/snippets. What a provider wrote (URL, model)
enters it only as a literal of the snippet's language, so that it can never become code.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.template import Context, Engine, Template
from django.utils.safestring import SafeString
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from marketplace.models import Service
from zgcompute.networks import BUILT_IN, Network

KEY_VARIABLE = "ZG_API_KEY"
PROMPT = "Say hello in one sentence."
PICTURE_PROMPT = "A lighthouse at dusk, in watercolour"
EDIT_PROMPT = "Make the sky purple"
KINDS = {
    "chatbot": "chat",
    "text-to-image": "image",
    "image-editing": "image-edit",
    "speech-to-text": "speech",
}
_INPUTS = {"image-edit": "picture.png", "speech": "recording.wav"}
_FORMATTER = HtmlFormatter(nowrap=True)


@dataclass(frozen=True, slots=True)
class Language:
    """A way to call: `literal` writes any text as a string of it, `installation` is said first."""

    key: str
    name: str
    lexer: str
    literal: Callable[[str], str]
    installation: str
    run: str
    where: str = ""  # where the installation is to be run, if anywhere in particular


@dataclass(frozen=True, slots=True)
class Snippet:
    language: Language
    mode: str  # "plain" or "stream"
    code: str
    html: SafeString


@dataclass(frozen=True, slots=True)
class Choice:
    """The snippet that a page opens with, as its address or form asks."""

    language: str = "curl"
    mode: str = "plain"

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Choice:
        return cls(fields.get("language", ""), fields.get("mode", ""))


@dataclass(frozen=True, slots=True)
class Guide:
    """What the build page shows of one service; without snippets where its kind has none yet."""

    kind: str
    languages: list[Language]
    snippets: list[Snippet]
    has_key: bool
    input_file: str  # a file that the snippet reads from where it is run; "" for none
    language: str  # which of them is shown first
    mode: str

    @property
    def has_streaming(self) -> bool:
        return any(snippet.mode == "stream" for snippet in self.snippets)


def python_literal(text: str) -> str:
    """`text` as a Python string, in ASCII."""
    is_simple = text.isascii() and text.isprintable() and not set(text) & {'"', "\\"}
    return f'"{text}"' if is_simple else ascii(text)


def _shell_literal(text: str) -> str:
    """`text` as one word of a POSIX shell; what cannot be printed is replaced by "?"."""
    kept = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    return "'" + kept.replace("'", "'\\''") + "'"


_PYTHON = Language(
    "python", "Python", "python", python_literal, "pip install openai", "python hello.py"
)
LANGUAGES = {
    "curl": Language("curl", "curl", "bash", _shell_literal, "", "bash hello.sh"),
    "python": _PYTHON,
    "javascript": Language(
        "javascript", "JavaScript", "javascript", json.dumps, "npm install openai", "node hello.mjs"
    ),
    "zgcompute": Language(
        "zgcompute",
        "zgcompute",
        "python",
        python_literal,
        "pip install .",
        "python hello.py",
        " in a checkout of this project",
    ),
    "0g-compute-cli": Language(
        "0g-compute-cli",
        "0g-compute-cli",
        "bash",
        _shell_literal,
        "pip install .",
        "bash hello.sh",
        " in a checkout of this project",
    ),
}


def guide(
    service: Service, network: Network, choice: Choice | None = None, *, api_key: str = ""
) -> Guide:
    """All snippets for `service`, with `api_key` in them where one was just made.

    What `choice` asks for and is not offered becomes the first that is.
    """
    kind = KINDS.get(service.service_type, "")
    found = [
        (LANGUAGES[name], way, snippet(service, network, name, way, api_key=api_key))
        for name, way in offered(kind)
    ]
    language, mode = _nearest(kind, choice or Choice())
    return Guide(
        kind=kind,
        languages=[one for one, way, _ in found if way == "plain"],
        snippets=[
            Snippet(one, way, code, highlighted(code, one.lexer)) for one, way, code in found
        ],
        has_key=bool(api_key),
        input_file=_INPUTS.get(kind, ""),
        language=language,
        mode=mode,
    )


def snippet(
    service: Service, network: Network, language: str, mode: str = "plain", *, api_key: str = ""
) -> str:
    """The code that asks `service` once, in `language` of LANGUAGES.

    `mode` is "plain" or, for chat, "stream". Without `api_key` the code reads it from the
    environment variable ZG_API_KEY. Raises KeyError for what is not offered.
    """
    kind = KINDS[service.service_type]
    if (language, mode) not in offered(kind):
        raise KeyError(f"{kind} in {language}, {mode}")
    chosen = LANGUAGES[language]
    values = _values(service, network, chosen.literal, stream=mode == "stream")
    values["api_key"] = chosen.literal(api_key) if api_key else ""
    name = f"{kind}-{language}{'-stream' if mode == 'stream' else ''}.txt"
    return _template(name).render(Context(values, autoescape=False)).strip() + "\n"


def offered(kind: str) -> list[tuple[str, str]]:
    """The languages and modes in which a kind of KINDS is shown."""
    modes = {"": (), "chat": ("plain", "stream")}.get(kind, ("plain",))
    return [(language, mode) for language in LANGUAGES for mode in modes]


def highlighted(code: str, lexer: str) -> SafeString:
    """`code` as HTML with a class on every token; the text in it is escaped."""
    rules = get_lexer_by_name(lexer, stripnl=False, ensurenl=False)
    return SafeString(highlight(code, rules, _FORMATTER))  # pygments escapes


def _nearest(kind: str, wanted: Choice) -> tuple[str, str]:
    choices = offered(kind)
    for language, mode in ((wanted.language, wanted.mode), (wanted.language, "plain")):
        if (language, mode) in choices:
            return language, mode
    return "curl", wanted.mode if ("curl", wanted.mode) in choices else "plain"


def _values(
    service: Service, network: Network, literal: Callable[[str], str], *, stream: bool
) -> dict[str, Any]:
    base = service.as_listed.proxy_url
    chat: dict[str, Any] = {
        "model": service.model,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    picture = {"model": service.model, "prompt": PICTURE_PROMPT, "response_format": "url"}
    return {
        "base_url": literal(base),
        "chat_url": literal(f"{base}/chat/completions"),
        "image_url": literal(f"{base}/images/generations"),
        "edit_url": literal(f"{base}/images/edits"),
        "speech_url": literal(f"{base}/audio/transcriptions"),
        "model": literal(service.model),
        "model_field": literal(f"model={service.model}"),
        "edit_field": literal(f"prompt={EDIT_PROMPT}"),
        "chat_body": shlex.quote(json.dumps(chat | ({"stream": True} if stream else {}), indent=2)),
        "image_body": shlex.quote(json.dumps(picture, indent=2)),
        "prompt": literal(PROMPT),
        "picture_prompt": literal(PICTURE_PROMPT),
        "edit_prompt": literal(EDIT_PROMPT),
        "provider": literal(service.provider),
        "network": literal(network.slug),
        "needs_networks_file": network.slug not in BUILT_IN,
        "key_variable": KEY_VARIABLE,
    }


@cache
def _template(name: str) -> Template:
    folder = settings.BASE_DIR / "templates" / "accounts" / "snippets"
    return Engine(dirs=[str(folder)], autoescape=False).get_template(name)
