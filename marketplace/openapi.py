"""The public read API described for programs: an OpenAPI 3.1 document, written by hand."""

from __future__ import annotations

from typing import Any

from marketplace.model_rows import Source
from marketplace.search import CONTEXTS, ORDERS, PROOFS, TYPES
from marketplace.standing import KEYS
from zgcompute.status_api import HealthStatus

REQUESTS_PER_MINUTE = 120  # per address
PAGE, MOST = 200, 1_000  # models in one answer
Schema = dict[str, Any]

_ABOUT = (
    "Models, providers, prices and measured health of the 0G Compute Network. Everything is read"
    " from this site's own mirror of the chain, whose age is in every answer. Prices are decimal"
    " text in 0G per single token, image or second, and in neuron (10^18 neuron are 1 0G). Text"
    " from providers is their own claim and may hold anything. Limits:"
    f" {REQUESTS_PER_MINUTE} requests per minute and address (429 with Retry-After beyond it),"
    f" {MOST} models per answer. Answers carry an ETag and may be kept as Cache-Control says."
)

_SOURCES = (
    "Who said the context length, modalities, parameters and description: the provider's own list,"
    " or the network's status service where that list could not be read."
)


def document(server: str, networks: list[str]) -> Schema:
    """Return the whole document for the API at the URL `server`."""
    network = _parameter("network", "path", {"type": "string", "enum": networks}, "A network's id")
    return {
        "openapi": "3.1.0",
        "info": {"title": "0G Compute read API", "version": "1", "description": _ABOUT},
        "servers": [{"url": server}],
        "paths": {
            "/networks": _get("listNetworks", "The networks of this site", "Networks", []),
            "/{network}/models": _get(
                "listModels", "The models of a network", "Models", [network, *_search()]
            ),
            "/{network}/providers/{address}": _get(
                "getProvider",
                "One provider, listed or removed",
                "Provider",
                [network, _parameter("address", "path", _ADDRESS, "The provider's address")],
            ),
        },
        "components": {"schemas": schemas()},
    }


def schemas() -> dict[str, Schema]:
    """Return the shapes of all answers."""
    return {
        "Error": _object(
            error=_object(code={"type": "integer"}, message=_TEXT, remedy=_TEXT),
        ),
        "Networks": _object(object=_TEXT, data=_list(_ref("Network"))),
        "Network": _object(
            id=_TEXT,
            name=_TEXT,
            chain_id=_COUNT,
            is_local=_YES_NO,
            explorer=_TEXT,
            services=_COUNT,
            block_number=_maybe(_COUNT),
            block_read_at=_maybe(_TIME),
            services_read_at=_maybe(_TIME),
            problem=_TEXT,
        ),
        "Models": _object(
            object=_TEXT,
            network=_TEXT,
            as_of=_maybe(_TIME),
            total=_COUNT,
            offset=_COUNT,
            data=_list(_ref("Model")),
        ),
        "Model": _object(
            id=_TEXT,
            name=_TEXT,
            description=_TEXT,
            type=_TEXT,
            context_length=_maybe(_COUNT),
            max_completion_tokens=_maybe(_COUNT),
            architecture=_object(input_modalities=_list(_TEXT), output_modalities=_list(_TEXT)),
            supported_parameters=_list(_TEXT),
            expiration_date=_TEXT,
            details_source=_maybe({"enum": list(Source.values), "description": _SOURCES}),
            pricing=_ref("Pricing"),
            endpoints=_list(_ref("Endpoint")),
        ),
        "Pricing": {
            **_object(
                neuron={"type": "object", "additionalProperties": _NEURON},
                currency={"const": "0G"},
                is_maximum=_YES_NO,
                tiers=_list(
                    _object(
                        max_prompt_tokens=_maybe(_COUNT),
                        prompt_per_million=_AMOUNT,
                        completion_per_million=_AMOUNT,
                    )
                ),
                cached_prompt_per_million=_maybe(_AMOUNT),
            ),
            "description": "The other keys are 0G per token, image or second, by type of service.",
            "additionalProperties": _AMOUNT,
        },
        "Endpoint": _object(
            provider=_ADDRESS,
            url=_maybe(_TEXT),
            url_problem=_TEXT,
            is_open=_YES_NO,
            verifiability=_TEXT,
            answers_verifiable=_YES_NO,
            signer=_ADDRESS,
            verification=_ref("Verification"),
            pricing=_ref("Pricing"),
            health=_ref("Health"),
        ),
        "Verification": {
            **_object(verdict={"enum": list(KEYS)}, checked_at=_maybe(_TIME)),
            "description": "What this site's last check of the provider's attestation found:"
            " verified only if every required check passed on the record as it is now; changed"
            " if the record on chain is another than the one that was checked.",
        },
        "Health": {
            **_object(
                reachable=_maybe(_YES_NO),
                probed_at=_maybe(_TIME),
                down_since=_maybe(_TIME),
                uptime_24h_percent=_maybe(_AMOUNT),
                uptime_30d_percent=_maybe(_AMOUNT),
                latency_ms_p50=_maybe(_COUNT),
                latency_ms_p95=_maybe(_COUNT),
                first_token_ms_p50=_maybe(_COUNT),
                tokens_per_second_p50=_maybe(_COUNT),
                reported=_maybe(_ref("Reported")),
            ),
            "description": (
                "As measured by this site; null where too little was measured. Only `reported` is"
                " not: it is null where the network's status service says nothing."
            ),
        },
        "Reported": {
            **_object(
                model=_TEXT,
                status={"type": "string", "enum": list(HealthStatus)},
                uptime_percent=_maybe(_AMOUNT),
                checks_total=_maybe(_COUNT),
                checks_successful=_maybe(_COUNT),
                response_time_ms=_maybe(_COUNT),
                first_token_ms=_maybe(_COUNT),
                tokens_per_second=_maybe(_COUNT),
                checked_at=_maybe(_TIME),
                read_at=_TIME,
            ),
            "description": (
                "What the network's status service reports of the provider's `model`, by its own"
                " checks and clock (`checked_at`), as this site read it at `read_at`. It is a third"
                " party's claim, kept when a later reading fails. Averages, not medians; null is"
                " not said."
            ),
        },
        "Provider": _object(
            object=_TEXT,
            network=_TEXT,
            provider=_ADDRESS,
            type=_TEXT,
            model=_TEXT,
            is_registered=_YES_NO,
            removed_at=_maybe(_TIME),
            signer=_ADDRESS,
            signer_acknowledged=_YES_NO,
            verification=_ref("Verification"),
            additional_info=_TEXT,
            input_price_neuron=_NEURON,
            output_price_neuron=_NEURON,
            updated_at=_TIME,
            first_seen_at=_TIME,
            as_of=_TIME,
            models=_list(_ref("Model")),
            changes=_list(
                _object(seen_at=_TIME, field=_TEXT, label=_TEXT, before=_TEXT, after=_TEXT)
            ),
        ),
    }


def _search() -> list[Schema]:
    return [
        _parameter("q", "query", _TEXT, "Words in the model, provider, type or verifiability"),
        _parameter("type", "query", {"type": "string", "enum": list(TYPES)}, "Type of service"),
        _parameter("proof", "query", {"type": "string", "enum": list(PROOFS)}, "Proof claimed"),
        _parameter("up", "query", {"const": "1"}, "Only what answered our last probe"),
        _parameter("context", "query", {"enum": list(CONTEXTS)}, "Least context in tokens"),
        _parameter("least", "query", _AMOUNT, "Lowest price in 0G per 1M tokens, image or second"),
        _parameter("most", "query", _AMOUNT, "Highest price in 0G, in the same units"),
        _parameter("sort", "query", {"type": "string", "enum": list(ORDERS)}, "Order"),
        _parameter("limit", "query", {**_COUNT, "maximum": MOST, "default": PAGE}, "Models"),
        _parameter("offset", "query", {**_COUNT, "default": 0}, "Models to leave out at first"),
    ]


def _get(operation: str, summary: str, schema: str, parameters: list[Schema]) -> Schema:
    refusals = {"400": "Not understood", "404": "Not found", "429": "Too many requests"}
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "parameters": parameters,
            "responses": {
                "200": _response(summary, schema),
                "304": {"description": "What If-None-Match names is still current"},
                **{status: _response(words, "Error") for status, words in refusals.items()},
            },
        }
    }


def _response(description: str, schema: str) -> Schema:
    return {
        "description": description,
        "content": {"application/json": {"schema": _ref(schema)}},
    }


def _parameter(name: str, place: str, schema: Schema, description: str) -> Schema:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": schema,
    }


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT = {"type": "string"}
_YES_NO = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_TIME = {"type": "string", "format": "date-time"}
_ADDRESS = {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
_AMOUNT = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_NEURON = {"type": "string", "pattern": "^[0-9]+$"}
