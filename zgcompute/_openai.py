"""Clients of the `openai` package for one provider, whose key is a session that renews."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zgcompute._destinations import AddressPolicy
from zgcompute.errors import ConfigurationError
from zgcompute.networks import Network
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
    if "http_client" not in options:
        options["http_client"] = library.DefaultHttpxClient(**_CAUTION)
    key = options.pop("api_key", None) or (lambda: inference.session(service).api_key)
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
    if "http_client" not in options:
        options["http_client"] = library.DefaultAsyncHttpxClient(**_CAUTION)

    async def session_key() -> str:
        return (await inference.session(service)).api_key

    key = options.pop("api_key", None) or session_key
    made: openai.AsyncOpenAI = library.AsyncOpenAI(
        base_url=service.proxy_url, api_key=key, **_WITHOUT_REPEATS | options
    )
    return made


# The provider chose its address: it must not send the key on, nor may the environment's proxy.
_CAUTION: dict[str, Any] = {"follow_redirects": False, "trust_env": False}
_WITHOUT_REPEATS: dict[str, Any] = {"max_retries": 0}


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
