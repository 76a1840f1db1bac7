"""The cast of test providers: who serves what, at which price, signed by which key.

The keys are made from public words: everybody can have them, nothing of value may hang on them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from devnet.providers.signatures import TeeKey

MICRO = 10**12  # neuron in a millionth of a 0G


@dataclass(frozen=True, slots=True)
class Model:
    """One model that a provider serves; prices are neuron per token (or per image, per second)."""

    name: str
    input_price: int
    output_price: int
    description: str
    reasons: bool = False
    sees: bool = False  # takes pictures beside the words
    context_length: int = 32_768


@dataclass(frozen=True, slots=True)
class Profile:
    """One provider; prices are neuron, `port_offset` counts from the control port.

    `others` are the models that it serves beside its own one.
    """

    name: str
    port_offset: int
    service_type: str
    model: str
    input_price: int
    output_price: int
    description: str
    acknowledged: bool = True
    listens: bool = True
    separated: bool = False
    reasons: bool = False
    sees: bool = False
    context_length: int = 32_768
    others: tuple[Model, ...] = ()
    pricing_info: dict[str, Any] = field(default_factory=dict)
    verifiability: str = "TeeML"

    @property
    def models(self) -> tuple[Model, ...]:
        """All models that are served, the one named on chain first."""
        own = Model(
            name=self.model,
            input_price=self.input_price,
            output_price=self.output_price,
            description=self.description,
            reasons=self.reasons,
            sees=self.sees,
            context_length=self.context_length,
        )
        return (own, *self.others)

    def served(self, name: object) -> Model | None:
        """The model of that name, or None where it is not served."""
        return next((model for model in self.models if model.name == name), None)

    @property
    def chain_prices(self) -> tuple[int, int]:
        """Input and output price as registered: of several models the highest (PROTOCOL §6)."""
        return (
            max(model.input_price for model in self.models),
            max(model.output_price for model in self.models),
        )

    @property
    def tee_key(self) -> TeeKey:
        """The broker's signer, the one that the contract's service record names."""
        return _key(f"0G devnet TEE signer of {self.name}")

    @property
    def answer_key(self) -> TeeKey:
        """Who signs answers: the model server's own key where it is separated."""
        if not self.separated:
            return self.tee_key
        return _key(f"0G devnet model server signer of {self.name}")

    @property
    def additional_info(self) -> str:
        """The JSON text registered on chain, keys in order as a Go map prints them."""
        info: dict[str, Any] = {
            "ImageDigest": "sha256:" + "0" * 64,
            "ImageName": f"devnet/{self.name}",
            "TEEVerifier": "dstack",
            "TargetSeparated": self.separated,
            "VerifierURL": "",
            **self.pricing_info,
        }
        if self.others:
            info["MultiModel"] = True
        if self.separated:
            info["TargetTeeAddress"] = self.answer_key.address
        return json.dumps(info, sort_keys=True, separators=(",", ":"))


def _key(words: str) -> TeeKey:
    from eth_utils.crypto import keccak

    return TeeKey("0x" + keccak(text=words).hex())


PROFILES = (
    Profile(
        name="aurora",
        port_offset=1,
        service_type="chatbot",
        model="devnet-chat",
        input_price=400_000_000_000,
        output_price=1_600_000_000_000,
        description="Fixed Markdown answers, streamed at reading speed",
    ),
    Profile(
        name="cumulus",
        port_offset=2,
        service_type="chatbot",
        model="devnet-reasoner",
        input_price=900_000_000_000,
        output_price=3_500_000_000_000,
        description="Reasons before it answers; its model server signs with a key of its own",
        separated=True,
        reasons=True,
        context_length=131_072,
        pricing_info={
            "cacheTokenBilling": {"divisor": 10},
            "tieredPricing": {
                "tiers": [
                    {"maxInputTokens": 2000, "inputMultiplier": 1, "outputMultiplier": 1},
                    {"maxInputTokens": 0, "inputMultiplier": 2, "outputMultiplier": 3},
                ]
            },
        },
    ),
    Profile(
        name="prisma",
        port_offset=3,
        service_type="text-to-image",
        model="devnet-painter",
        input_price=0,
        output_price=3000 * MICRO,
        description="Landscapes drawn from the hash of the prompt",
    ),
    Profile(
        name="retouch",
        port_offset=4,
        service_type="image-editing",
        model="devnet-editor",
        input_price=0,
        output_price=5000 * MICRO,
        description="Tints and frames the picture it is given",
    ),
    Profile(
        name="echo",
        port_offset=5,
        service_type="speech-to-text",
        model="devnet-listener",
        input_price=12 * MICRO,
        output_price=0,
        description="Fixed transcripts as long as the recording",
    ),
    Profile(
        name="dusk",
        port_offset=6,
        service_type="chatbot",
        model="devnet-unproven",
        input_price=100_000_000_000,
        output_price=300_000_000_000,
        description="A signer that the contract's owner never acknowledged",
        acknowledged=False,
    ),
    Profile(
        name="iris",
        port_offset=7,
        service_type="chatbot",
        model="devnet-vision",
        input_price=600_000_000_000,
        output_price=2_000_000_000_000,
        description="Takes pictures and says of what size and colour they are",
        sees=True,
    ),
    Profile(
        name="nova",
        port_offset=8,
        service_type="chatbot",
        model="devnet-small",
        input_price=150_000_000_000,
        output_price=500_000_000_000,
        description="The small one of three models: words only, cheap",
        others=(
            Model(
                name="devnet-thinker",
                input_price=1_200_000_000_000,
                output_price=4_000_000_000_000,
                description="One of three models: reasons before it answers",
                reasons=True,
                context_length=131_072,
            ),
            Model(
                name="devnet-seer",
                input_price=700_000_000_000,
                output_price=2_400_000_000_000,
                description="One of three models: takes pictures",
                sees=True,
            ),
        ),
    ),
    Profile(
        name="borealis",
        port_offset=99,
        service_type="chatbot",
        model="devnet-silent",
        input_price=250_000_000_000,
        output_price=900_000_000_000,
        description="Registered, but nobody listens there",
        listens=False,
    ),
)


def stranger_key() -> TeeKey:
    """A key that no service names: who signs with it is found out."""
    return _key("0G devnet stranger")
