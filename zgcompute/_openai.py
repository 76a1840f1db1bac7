"""Clients of the `openai` package for one provider, whose key is a session that renews."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zgcompute._destinations import AddressPolicy
from zgcompute._exchanges import MAX_REFUSAL
from zgcompute._orders import require_key_for
from zgcompute._sessions import Sessions
from zgcompute.errors import ConfigurationError
from zgcompute.inference import REFUSED_SESSION
from zgcompute.networks import Network
from zgcompute.refusals import refusal
from zgcompute.types import Service

if TYPE_CHECKING:
    import openai

    from zgcompute.async_inference import AsyncInference
    from zgcompute.inference import Inference


def client(
    network: Network, service: Service, inference: Inference, **options: Any
) -> openai.OpenAI:
    """An openai.OpenAI that asks for a session before each request."""
    library = _library()
    _require_allowed(network, service)

    def look_at(response: Any) -> None:
        if response.is_error:
            response.read()
            _forget_refused(inference.sessions, service, response)

    if "http_client" not in options:
        hooks = {"response": [look_at]}
        options["http_client"] = library.DefaultHttpxClient(**_CAUTION, event_hooks=hooks)
    key = _given_key(service, options) or (lambda: inference.session(service).api_key)
    made: openai.OpenAI = library.OpenAI(
        base_url=service.proxy_url, api_key=key, **_WITHOUT_REPEATS | options
    )
    return made


async def async_client(
    network: Network, service: Service, inference: AsyncInference, **options: Any
) -> openai.AsyncOpenAI:
    """An openai.AsyncOpenAI that asks for a session before each request."""
    library = _library()
    await asyncio.to_thread(_require_allowed, network, service)

    async def look_at(response: Any) -> None:
        if response.is_error:
            await response.aread()
            _forget_refused(inference.sessions, service, response)

    if "http_client" not in options:
        hooks = {"response": [look_at]}
        options["http_client"] = library.DefaultAsyncHttpxClient(**_CAUTION, event_hooks=hooks)

    async def session_key() -> str:
        return (await inference.session(service)).api_key

    key = _given_key(service, options) or session_key
    made: openai.AsyncOpenAI = library.AsyncOpenAI(
        base_url=service.proxy_url, api_key=key, **_WITHOUT_REPEATS | options
    )
    return made


# The provider chose its address: it must not send the key on, nor may the environment's proxy.
_CAUTION: dict[str, Any] = {"follow_redirects": False, "trust_env": False}
_WITHOUT_REPEATS: dict[str, Any] = {"max_retries": 0}


def _given_key(service: Service, options: dict[str, Any]) -> Any:
    """The caller's own key; raises InvalidToken for one that was made for another provider."""
    key = options.pop("api_key", None)
    return require_key_for(service.provider, key) if isinstance(key, str) and key else key


def _forget_refused(sessions: Sessions, service: Service, response: Any) -> None:
    """Have the next request ask for a new session where the provider refused this one's."""
    body, headers = response.content[:MAX_REFUSAL], dict(response.headers)
    if isinstance(refusal(response.status_code, body, headers), REFUSED_SESSION):
        key = response.request.headers.get("authorization", "").removeprefix("Bearer ")
        sessions.forget(service.provider, key)


def _library() -> Any:
    try:
        import openai
    except ImportError:
        raise ConfigurationError(
            "The openai package is not installed.", advice="Install it: pip install openai"
        ) from None
    return openai


def _require_allowed(network: Network, service: Service) -> None:
    """Refuse an address that the SDK itself would not ask either; raises DestinationRefused."""
    policy = AddressPolicy(allow_private=network.local)
    host, parts = policy.check_url(service.url), urlsplit(service.url)
    policy.addresses(host, parts.port or (443 if parts.scheme == "https" else 80))
