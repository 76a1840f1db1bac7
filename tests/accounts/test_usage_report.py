from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import sums
from accounts.models import Usage, Wallet
from chat.models import Receipt
from marketplace.models import Service
from tests.accounts import cast
from tests.accounts.cast import zg
from tests.accounts.test_pages import text
from tests.chat import stage

PAGE = "/devnet/account/usage/"


def download(client: Client, path: str) -> list[dict[str, str]]:
    reply = client.get(path)
    assert reply["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in reply["Content-Disposition"]
    body = b"".join(reply.streaming_content).decode()  # type: ignore[arg-type]
    return list(csv.DictReader(io.StringIO(body)))


def test_every_request_is_listed_with_its_exact_fee(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    used = cast.use(cast.ALICE, aurora.provider, "0.000000000000000001")
    Usage.objects.update(input_tokens=1234, output_tokens=5)
    words = text(signed_in.get(PAGE))
    assert f"{used.happened_at:%b %Y %H:%M:%S} test-chat Chat" in words
    assert "1,234 5 0.000000000000000001" in words
    assert "exactly 0.000000000000000001" in words


def test_the_sums_are_exact_beyond_what_a_database_can_add(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    fees = [2**255, 2**254 + 1, 10**18 - 1, 7]
    for fee in fees:
        Usage.objects.filter(pk=cast.use(cast.ALICE, aurora.provider, "1").pk).update(fee=fee)
    row = Usage.objects.aggregate(**sums.pieces("fee"))
    assert sums.total(row, "fee") == sum(fees)
    assert sums.total(Usage.objects.none().aggregate(**sums.pieces("fee")), "fee") == 0


def test_totals_are_told_by_provider_model_and_day(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.3")
    cast.use(cast.ALICE, aurora.provider, "0.1", seconds_ago=3 * 24 * 3600)
    Usage.objects.filter(fee=zg("0.1")).update(model="other-model")
    cast.use(cast.ALICE, cast.stranger(), "0.6")
    words = text(signed_in.get(PAGE))
    assert "3 Tokens in" in words
    assert "1 0G exactly 1" in words
    assert f"{cast.stranger()[:6]}…{cast.stranger()[-4:]} 1 0.6 60 %" in words
    assert "other-model 1 0.1 10 %" in words
    day = timezone.now() - timedelta(days=3)
    assert f"{day.day} {day:%b %Y} 1 0.1" in words


def test_the_url_says_what_is_shown(signed_in: Client, alice: Wallet, aurora: Service) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.25")
    cast.use(cast.ALICE, cast.stranger(), "0.5", seconds_ago=40 * 24 * 3600)
    shown = {
        query: text(signed_in.get(PAGE + query))
        for query in (
            "",
            "?period=90",
            "?period=all",
            f"?period=all&provider={aurora.provider}",
            "?period=all&model=test-chat",
            "?model=nothing",
            f"?since={timezone.now():%Y-%m-%d}",
            "?until=2020-01-01",
        )
    }
    exact = {query: words.partition(" exactly ")[2].split(" ")[0] for query, words in shown.items()}
    assert list(exact.values()) == ["0.25", "0.75", "0.75", "0.25", "0.75", "", "0.25", ""]
    assert "No request of yours matches this." in shown["?model=nothing"]


@pytest.mark.parametrize(
    "query",
    ["?page=99999999", "?page=-1", "?page=x", "?period=x", "?provider=0x12", "?since=x&until=9"],
)
def test_nonsense_in_the_url_is_left_out(
    signed_in: Client, alice: Wallet, aurora: Service, query: str
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.25")
    assert "exactly 0.25" in text(signed_in.get(PAGE + query))


def test_many_requests_come_page_by_page(
    signed_in: Client,
    alice: Wallet,
    aurora: Service,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(120):
        cast.use(cast.ALICE, aurora.provider, "0.01", seconds_ago=number)
    signed_in.get(PAGE)
    with django_assert_max_num_queries(11):
        words = text(signed_in.get(PAGE))
    assert "Page 1 of 3" in words
    assert words.count("not yet") == 50
    assert text(signed_in.get(f"{PAGE}?page=3")).count("not yet") == 20


def test_a_request_leads_to_its_conversation_and_says_how_its_proof_came_out(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    used = cast.use(cast.ALICE, aurora.provider, "0.01")
    answer = stage.ask(stage.make_conversation(alice, aurora), "Hello")
    Receipt.objects.create(message=answer, usage=used, fee=used.fee, outcome="not verifiable")
    body = signed_in.get(PAGE).content.decode()
    assert f"/devnet/chat/{answer.conversation_id}/#message-{answer.pk}" in body
    assert "not verifiable" in body
    (line,) = download(signed_in, "/devnet/account/usage.csv")
    assert line["verification"] == "not verifiable"
    assert line["about"].startswith("http://testserver/devnet/chat/")
    answer.conversation.delete()
    assert "no longer kept" in text(signed_in.get(PAGE))


def test_the_file_sums_to_the_page_to_the_neuron(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    for number in range(1, 1203):
        cast.use(cast.ALICE, aurora.provider, f"0.{number:018d}")
    lines = download(signed_in, "/devnet/account/usage.csv")
    assert len(lines) == 1202
    total = sum(int(line["fee_neuron"]) for line in lines)
    assert total == sum(range(1, 1203))
    assert f"0.{total:018d}".rstrip("0") in text(signed_in.get(PAGE))
    assert lines[0]["fee_0g"].startswith("0.0000000000000")


@pytest.mark.parametrize("model", ["=1+1", "+1", "-1", "@x", "\t=1", " =cmd|' /C calc'!A0"])
def test_no_cell_of_hostile_text_is_a_formula(
    signed_in: Client, alice: Wallet, aurora: Service, model: str
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.01")
    Usage.objects.update(model=model, kind=model)
    (line,) = download(signed_in, "/devnet/account/usage.csv")
    assert line["model"] == line["kind"] == f"'{model}"


def test_the_file_keeps_to_the_filters(signed_in: Client, alice: Wallet, aurora: Service) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.01")
    cast.use(cast.ALICE, cast.stranger(), "0.02")
    path = f"/devnet/account/usage.csv?provider={aurora.provider}"
    assert [line["provider"] for line in download(signed_in, path)] == [aurora.provider]


def test_the_file_streams_on_the_real_server_too(alice: Wallet, aurora: Service) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.01")

    async def read() -> bytes:
        client = AsyncClient()
        await client.aforce_login(alice, backend="accounts.backends.SignedMessage")
        reply = await client.get("/devnet/account/usage.csv")
        assert reply.is_async
        return b"".join([piece async for piece in reply.streaming_content])  # type: ignore[union-attr]

    assert b"10000000000000000,0.01" in async_to_sync(read)()


def test_a_long_time_is_drawn_by_months(signed_in: Client, alice: Wallet, aurora: Service) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.01")
    cast.use(cast.ALICE, aurora.provider, "0.01", seconds_ago=400 * 24 * 3600)
    assert "Fees per month" in text(signed_in.get(f"{PAGE}?period=all"))
    assert "Fees per day" in text(signed_in.get(PAGE))


def test_others_see_none_of_it(
    client: Client, alice: Wallet, mallory: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.01")
    assert client.get(PAGE).status_code == 401
    assert client.get("/devnet/account/usage.csv").status_code == 401
    client.force_login(mallory, backend="accounts.backends.SignedMessage")
    assert "test-chat" not in text(client.get(PAGE))
    assert download(client, "/devnet/account/usage.csv") == []


def test_hostile_model_names_are_harmless(
    signed_in: Client, alice: Wallet, aurora: Service
) -> None:
    cast.use(cast.ALICE, aurora.provider, "0.01")
    Usage.objects.update(model='"><img src=x>\u202eevil')
    body = signed_in.get(PAGE).content.decode()
    assert "<img src=x" not in body
    (value,) = [line for line in body.split("<option") if "evil" in line]
    assert "&quot;&gt;&lt;img" in value
