"""LedgerManager: which serving contracts it works with, and who may say so."""

from __future__ import annotations

from typing import Any

import pytest

from devnet.deploy import FINE_TUNING, INFERENCE, LEDGER, LOCK_TIME, creation_code
from tests.devnet.contract_chain import (
    ALICE,
    AURORA,
    MALLORY,
    NAME,
    OWNER,
    ZERO,
    ContractChain,
    reverts,
)

pytestmark = pytest.mark.chain

NOT_OWNER = "Ownable: caller is not the owner"


def register(chain: ContractChain, address: str, *names: str, sender: str = OWNER) -> Any:
    kind, version = names or ("inference", "v2.0")
    return chain.ledger.send(sender, "registerService", kind, version, address, "a test")


def new_serving(chain: ContractChain) -> str:
    code = creation_code("InferenceServing", LOCK_TIME, LEDGER, OWNER)
    return str(chain.node.send(OWNER, None, code)["contractAddress"])


def test_the_deployed_serving_contracts_are_registered(chain: ContractChain) -> None:
    info = chain.ledger.read("getServiceInfo", INFERENCE)
    assert info["serviceAddress"] == info["serviceContract"] == INFERENCE
    assert info["registeredAt"] > 0
    assert (info["serviceType"], info["version"]) == ("inference", "v1.0")
    assert (info["fullName"], info["isRecommended"]) == (NAME, True)
    names = [service["fullName"] for service in chain.ledger.read("getAllActiveServices")]
    assert names == [NAME, "fine-tuning-v1.0"]


def test_services_are_found_by_name_type_and_version(chain: ContractChain) -> None:
    assert chain.ledger.read("getServiceAddressByName", NAME) == INFERENCE
    assert chain.ledger.read("getServiceAddressByName", "nobody-v1.0") == ZERO
    assert chain.ledger.read("getRecommendedService", "inference") == ("v1.0", INFERENCE)
    assert chain.ledger.read("isRecommendedVersion", "inference", "v1.0") is True
    assert chain.ledger.read("isRecommendedVersion", "inference", "v9.9") is False
    assert chain.ledger.read("getServiceInfo", ALICE)["fullName"] == ""


def test_a_type_without_a_recommendation_says_so(chain: ContractChain) -> None:
    with reverts("NoRecommendedService", "training"):
        chain.ledger.read("getRecommendedService", "training")


def test_a_second_version_can_be_registered_and_recommended(chain: ContractChain) -> None:
    serving = new_serving(chain)
    (event,) = register(chain, serving)
    assert event.name == "ServiceRegistered"
    assert event.values["serviceName"] == "inference-v2.0"
    assert chain.ledger.read("getRecommendedService", "inference") == ("v1.0", INFERENCE)

    (event,) = chain.ledger.send(OWNER, "setRecommendedService", "inference", "v2.0")
    assert event.name == "RecommendedServiceUpdated"
    assert event.values["version"] == "v2.0"
    versions, addresses, flags = chain.ledger.read("getAllVersions", "inference")
    assert (versions, flags) == (("v1.0", "v2.0"), (False, True))
    assert addresses[0] == INFERENCE
    assert chain.ledger.read("getAllVersions", "training") == ((), (), ())


def test_recommending_the_recommended_one_changes_nothing(chain: ContractChain) -> None:
    chain.ledger.send(OWNER, "setRecommendedService", "inference", "v1.0")
    assert chain.ledger.read("isRecommendedVersion", "inference", "v1.0") is True


def test_only_a_registered_version_can_be_recommended(chain: ContractChain) -> None:
    with reverts("ServiceNotFound", ZERO):
        chain.ledger.send(OWNER, "setRecommendedService", "inference", "v2.0")


def test_an_unknown_service_name_is_refused(chain: ContractChain) -> None:
    chain.deposit(ALICE, 10 * 10**18)
    with reverts("ServiceNotFound", ZERO):
        chain.ledger.send(ALICE, "transferFund", AURORA, "inference", 10**18)
    with reverts("ServiceNotFound", ZERO):
        chain.ledger.send(ALICE, "retrieveFund", [AURORA], "inference")
    with reverts("ServiceNotFound", ZERO):
        chain.ledger.read("getLedgerProviders", ALICE, "inference")


def test_a_registration_needs_all_its_parts(chain: ContractChain) -> None:
    with reverts("ServiceTypeRequired"):
        register(chain, INFERENCE, "", "v2.0")
    with reverts("VersionRequired"):
        register(chain, INFERENCE, "inference", "")
    with reverts("InvalidServiceAddress", ZERO):
        register(chain, ZERO)


def test_neither_a_contract_nor_a_name_is_registered_twice(chain: ContractChain) -> None:
    with reverts("ServiceAlreadyRegistered", INFERENCE):
        register(chain, INFERENCE)
    with reverts("ServiceNameExists", NAME):
        register(chain, new_serving(chain), "inference", "v1.0")


@pytest.mark.parametrize("address", [ALICE, LEDGER])
def test_only_serving_contracts_are_registered(chain: ContractChain, address: str) -> None:
    with reverts("ServiceMustImplementIServing", address):
        register(chain, address)


def test_a_contract_that_claims_every_interface_is_not_believed(chain: ContractChain) -> None:
    yes_sayer = "0x" + "77" * 20
    chain.node.call("anvil_setCode", yes_sayer, "0x600160005260206000f3")
    with reverts("ServiceMustImplementIServing", yes_sayer):
        register(chain, yes_sayer)


def test_the_registry_is_full_at_500_services(chain: ContractChain) -> None:
    serving = new_serving(chain)
    for slot in range(32):  # the length of the list is the only slot that holds a 2
        where = hex(slot)
        if int(chain.node.call("eth_getStorageAt", LEDGER, where, "latest"), 16) == 2:
            chain.node.call("anvil_setStorageAt", LEDGER, where, f"0x{500:064x}")
            break
    with reverts("ServiceRegistryLimitReached", 500):
        register(chain, serving)
    chain.node.call("anvil_setStorageAt", LEDGER, where, f"0x{2:064x}")


def test_strangers_cannot_touch_the_registry(chain: ContractChain) -> None:
    with reverts(NOT_OWNER):
        register(chain, INFERENCE, sender=MALLORY)
    with reverts(NOT_OWNER):
        chain.ledger.send(MALLORY, "setRecommendedService", "inference", "v1.0")
    with reverts(NOT_OWNER):
        chain.ledger.send(MALLORY, "transferOwnership", MALLORY)


def test_only_registered_services_spend(chain: ContractChain) -> None:
    chain.fund(ALICE, 10**18)
    with reverts("CallerNotRegisteredService", MALLORY):
        chain.ledger.send(MALLORY, "spendFund", ALICE, 1)


def test_a_service_spends_no_more_than_is_locked(chain: ContractChain) -> None:
    chain.fund(ALICE, 10**18)
    serving = chain.impersonate(INFERENCE)
    with reverts("InsufficientBalance", ALICE):
        chain.ledger.send(serving, "spendFund", ALICE, 10**18 + 1)
    with reverts("LedgerNotExists", MALLORY):
        chain.ledger.send(serving, "spendFund", MALLORY, 1)


@pytest.mark.parametrize("part", ["ledger", "serving"])
def test_ownership_can_be_handed_on_but_not_to_nobody(chain: ContractChain, part: str) -> None:
    contract = getattr(chain, part)
    assert contract.read("owner") == OWNER
    with reverts("Ownable: new owner is the zero address"):
        contract.send(OWNER, "transferOwnership", ZERO)
    contract.send(OWNER, "transferOwnership", ALICE)
    assert contract.read("owner") == ALICE
    with reverts(NOT_OWNER):
        contract.send(OWNER, "transferOwnership", OWNER)


def test_fine_tuning_answers_with_empty_lists(chain: ContractChain) -> None:
    calldata = chain.serving.interface.encode("getAllServices", 0, 0)
    answer = chain.node.read(FINE_TUNING, calldata)
    assert chain.serving.interface.decode_result("getAllServices", answer) == ((), 0)
