"""The whole life of money in the browser, and what may go wrong on its way.

These stories move the chain's clock, so they have a devnet and a site of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, expect

from devnet import accounts
from devnet.testing import Devnet
from tests.browser.person import CHAIN_MS, Person
from tests.site_fixture import Site, running_site
from zgcompute.calls import Calls
from zgcompute.types import Contracts

pytestmark = [pytest.mark.browser]

ZG = 10**18
LOCK_SECONDS = 86_400
REPLACED_MS = 60_000  # a hash is missed for 20 s before it counts as replaced


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    with Devnet() as running:
        yield running


@pytest.fixture(scope="module")
def site(devnet: Devnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(devnet, tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def saver(person: Person) -> Person:
    """Somebody signed in, on the account page."""
    person.visit("account/")
    person.sign_in()
    return person


def test_from_the_first_deposit_to_withdrawing_everything(saver: Person, devnet: Devnet) -> None:
    page, provider = saver.page, devnet.address("aurora")
    deposit(saver)
    transfer(saver, provider, "2")

    saver.visit("account/")
    row_of(saver, provider).get_by_role("button", name="Retrieve").click()
    expect(panel(saver)).to_contain_text("this is the first of two steps: their lock time starts")
    expect(panel(saver)).to_contain_text("The lock time of this network is 24 hours.")
    open_wallet(saver, "The lock time of 2 0G")
    saver.visit("account/")
    expect(row_of(saver, provider)).to_contain_text("in 23 hours 59 minutes", timeout=CHAIN_MS)

    saver.wallet.rpc("evm_increaseTime", [LOCK_SECONDS])
    saver.wallet.rpc("evm_mine", [])
    await_due(saver, provider)
    page.locator("#withdrawal").get_by_role("button", name="Bring home").click()
    expect(panel(saver)).to_contain_text("2 0G whose lock time has passed come home")
    open_wallet(saver, "is in your ledger")

    saver.visit("account/")
    page.get_by_role("button", name="everything, 3 0G").click()
    expect(panel(saver)).to_contain_text("the contract deletes your ledger")
    open_wallet(saver, "3 0G are back in your wallet")
    saver.visit("account/")
    expect(page.get_by_text("The first deposit creates it.")).to_be_visible(timeout=CHAIN_MS)
    left = int(saver.wallet.rpc("eth_getBalance", [saver.wallet.address, "latest"]), 16)
    assert 0 < 100 * ZG - left < ZG // 100  # nothing is missing but network fees
    assert saver.wallet.prompts.count("eth_sendTransaction") == 5


def test_a_declined_retrieval_moves_nothing_and_can_be_asked_again(
    saver: Person, devnet: Devnet
) -> None:
    provider = devnet.address("aurora")
    deposit(saver)
    transfer(saver, provider, "2")
    saver.visit("account/")
    saver.wallet.rejects = {"eth_sendTransaction"}
    row_of(saver, provider).get_by_role("button", name="Retrieve").click()
    open_wallet(saver, "Nothing was sent.")
    saver.wallet.rejects = set()
    saver.visit("account/")
    row_of(saver, provider).get_by_role("button", name="Retrieve").click()
    open_wallet(saver, "The lock time of 2 0G")


def test_a_transfer_from_a_ledger_drained_meanwhile_fails_with_the_reason(
    saver: Person, devnet: Devnet
) -> None:
    deposit(saver)
    review_transfer(saver, devnet.address("aurora"), "2")
    withdraw_behind_the_page(saver)
    saver.wallet.gas = 500_000
    open_wallet(saver, "The contract refused it. Only the fee was paid.")
    expect(panel(saver)).to_contain_text("This wallet has no ledger yet.")
    expect(panel(saver)).to_contain_text("Make a first deposit")


def test_a_transaction_that_the_wallet_replaced_is_told_apart(saver: Person) -> None:
    saver.page.get_by_role("button", name="Review deposit").click()
    saver.wallet.nonce_gap = 1
    open_wallet(saver, "The chain has it and will mine it")
    wallet, cancelled = saver.wallet, {"to": saver.wallet.address}
    wallet.send(cancelled, nonce=wallet.next_nonce() + 1, price_factor=2)
    wallet.send(cancelled)
    expect(panel(saver)).to_contain_text("replaced", timeout=REPLACED_MS)
    expect(panel(saver)).to_contain_text("it was sped up or cancelled in the wallet")


def test_an_account_switched_before_sending_sends_nothing(saver: Person) -> None:
    saver.page.get_by_role("button", name="Review deposit").click()
    expect(panel(saver)).to_contain_text("Your wallet will ask you to send 3 0G")
    stranger = accounts.account(18).private_key
    saver.wallet.private_key = stranger  # the wallet has not told the page
    saver.page.get_by_role("button", name="Open wallet").click()
    expect(panel(saver)).to_contain_text("Switch the account in the wallet.")
    saver.wallet.switch_account(saver.page, stranger)
    header = saver.page.locator(".site-header")
    expect(header.get_by_role("button", name="Connect")).to_be_visible()
    assert "eth_sendTransaction" not in saver.wallet.prompts


def test_two_tabs_with_the_same_call_send_it_once(saver: Person) -> None:
    saver.page.get_by_role("button", name="Review deposit").click()
    key = str(panel(saver).get_attribute("id")).removeprefix("transaction-")
    other = saver.page.context.new_page()
    saver.wallet.inject(other)
    other.goto(f"{saver.site.url}/devnet/account/transactions/{key}/")
    open_wallet(saver, "3 0G are in your ledger.")
    other.get_by_role("button", name="Open wallet").click()
    expect(other.locator(".transaction")).to_contain_text("3 0G are in your ledger.")
    assert saver.wallet.prompts.count("eth_sendTransaction") == 1
    other.close()


def test_a_wallet_that_can_deposits_and_transfers_in_one_confirmation(
    saver: Person, devnet: Devnet
) -> None:
    saver.wallet.batches = True
    provider = devnet.address("aurora")
    saver.visit(f"account/?provider={provider}")
    saver.page.locator("#transfer-amount").fill("2")
    saver.page.get_by_role("button", name="Deposit and transfer at once").click()
    expect(panel(saver)).to_contain_text("carries out both or none")
    saver.page.get_by_role("button", name="Open wallet").click()
    status = saver.page.get_by_role("status")
    expect(status.filter(has_text="3 0G are in your ledger.")).to_be_visible(timeout=CHAIN_MS)
    expect(status.filter(has_text="2 0G are locked with")).to_be_visible(timeout=CHAIN_MS)
    assert saver.wallet.prompts[2:] == ["wallet_sendCalls"]
    saver.visit("account/")
    expect(row_of(saver, provider).locator(f"data[value='{2 * ZG}']").first).to_be_visible()


def test_the_first_message_is_one_confirmation_and_one_signature_away(
    person: Person, devnet: Devnet
) -> None:
    person.wallet.batches = True
    person.visit(f"chat/?provider={devnet.address('aurora')}")
    person.sign_in()
    person.page.get_by_role("button", name="Deposit and transfer at once").click()
    person.page.get_by_role("button", name="Open wallet").click()
    session = person.page.get_by_role("button", name="Sign with wallet")
    expect(session).to_be_visible(timeout=CHAIN_MS)
    session.click()
    expect(person.composer).to_be_visible(timeout=CHAIN_MS)
    assert person.wallet.prompts[2:] == ["wallet_sendCalls", "personal_sign"]


def test_a_wallet_that_cannot_is_offered_two_confirmations(saver: Person) -> None:
    saver.visit("account/")
    expect(saver.page.get_by_role("button", name="Review transfer")).to_be_visible()
    expect(saver.page.get_by_text("Deposit and transfer at once")).to_be_hidden()


def panel(person: Person) -> Locator:
    """The transaction that is being prepared or followed."""
    return person.page.locator(".transaction").first


def row_of(person: Person, provider: str) -> Locator:
    """A provider's row in the table of sub-accounts."""
    return person.page.locator(".providers tbody tr").filter(
        has=person.page.locator(f"[href*='{provider}']")
    )


def open_wallet(person: Person, outcome: str) -> None:
    """Send what is prepared, and wait for these words about what became of it."""
    person.page.get_by_role("button", name="Open wallet").click()
    told = panel(person).get_by_role("status").filter(has_text=outcome)
    expect(told).to_be_visible(timeout=CHAIN_MS)


def deposit(person: Person) -> None:
    """The minimum, which the form suggests."""
    person.page.get_by_role("button", name="Review deposit").click()
    open_wallet(person, "3 0G are in your ledger.")


def review_transfer(person: Person, provider: str, amount: str) -> None:
    person.visit(f"account/?provider={provider}")
    person.page.locator("#transfer-amount").fill(amount)
    person.page.get_by_role("button", name="Review transfer").click()
    expect(panel(person)).to_contain_text(f"Transfer {amount} 0G to provider")


def transfer(person: Person, provider: str, amount: str) -> None:
    review_transfer(person, provider, amount)
    open_wallet(person, f"{amount} 0G are locked with")


def await_due(person: Person, provider: str) -> None:
    """Look again until a worker has seen the chain's new time."""
    for _ in range(20):
        person.visit("account/")
        person.page.get_by_role("button", name="Refresh").click()
        person.page.wait_for_timeout(1500)
        if row_of(person, provider).get_by_role("button", name="Bring home").count():
            return person.visit("account/")
    raise AssertionError("The refund never became due.")


def withdraw_behind_the_page(person: Person) -> None:
    """A transaction that this site knows nothing of."""
    call = _calls(person).refund(3 * ZG)
    person.wallet.send({"to": call.to, "data": call.data})


def _calls(person: Person) -> Calls:
    from devnet.deploy import INFERENCE, LEDGER

    return Calls(person.wallet.chain_id, Contracts(LEDGER, INFERENCE, "inference-v1.0"))
