"""The status service's replies, well-meant and hostile."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.zgcompute.raw_server import Exchange, Script, serving
from zgcompute.errors import (
    DestinationRefused,
    MalformedReply,
    ProviderRefused,
    ProviderUnreachable,
    ReplyTooLarge,
)
from zgcompute.model_cards import ModelCard
from zgcompute.status_api import (
    MAX_ENTRIES,
    HealthStatus,
    ReportedHealth,
    StatusApi,
    by_provider,
    health_of,
    parse_health,
    parse_models,
    without_prices,
)

AURORA, CUMULUS = "0x" + "aA" * 20, "0x" + "bb" * 20
FULL = {
    "serviceType": "chatbot",
    "model": "glm",
    "provider": AURORA,
    "status": "healthy",
    "checks": {"total": 1440, "successful": 1433, "failed": 7, "uptime": 99.519},
    "performance": {
        "response_time": {"avg": 1234.6, "unit": "ms", "samples": 9},
        "ttft": {"avg": 0.82, "unit": "s", "samples": 9},
        "tokens_per_second": {"avg": 45.4, "unit": "tokens/s", "samples": 9},
    },
    "lastCheck": "2026-05-04T14:02:00.000Z",
}


def reported(*entries: Any) -> tuple[ReportedHealth, ...]:
    return parse_health(json.dumps({"services": list(entries)}).encode())


def one(**changes: Any) -> ReportedHealth:
    (entry,) = reported({**FULL, **changes})
    return entry


class TestHealth:
    def test_a_full_entry_is_read_without_floats(self) -> None:
        assert one() == ReportedHealth(
            provider=AURORA.lower(),
            model="glm",
            status=HealthStatus.HEALTHY,
            uptime=9951,
            checks_total=1440,
            checks_successful=1433,
            response_time_ms=1235,
            first_token_ms=820,
            tokens_per_second=45,
            checked_at=1_777_903_320,
        )

    @pytest.mark.parametrize("status", ["Healthy", "verified", "", None, 1, [], {}, "<script>"])
    def test_any_other_status_is_unknown(self, status: object) -> None:
        assert one(status=status).status is HealthStatus.UNKNOWN

    @pytest.mark.parametrize(
        ("uptime", "hundredths"),
        [(100, 10_000), (99.999, 9_999), (0.29, 29), (0, 0), (-0.0, 0), (1e-300, 0)],
    )
    def test_uptime_is_rounded_down(self, uptime: float, hundredths: int) -> None:
        assert one(checks={"uptime": uptime}).uptime == hundredths

    @pytest.mark.parametrize(
        "number", [float("nan"), float("inf"), -1, 100.001, 10**400, True, "99.9", None, [], {}]
    )
    def test_what_is_no_share_is_no_uptime(self, number: object) -> None:
        assert one(checks={"uptime": number}).uptime is None

    @pytest.mark.parametrize(
        "average",
        [
            *({"avg": n} for n in (float("nan"), -0.1, 10**10, 10**400, "9", None, True)),
            {"avg": 5, "unit": "fortnights"},
            {"avg": 10**8, "unit": "s"},
            {},
            [],
            7,
            None,
        ],
    )
    def test_what_is_no_measurement_is_absent(self, average: object) -> None:
        assert one(performance={"response_time": average}).response_time_ms is None
        assert one(performance={"tokens_per_second": {"avg": -3}}).tokens_per_second is None

    @pytest.mark.parametrize(
        "checks",
        [{"total": 5, "successful": 6}, {"total": -1, "successful": 0}, {"total": 5}, "5 of 5"],
    )
    def test_counts_that_cannot_be_true_are_absent(self, checks: object) -> None:
        entry = one(checks=checks)
        assert (entry.checks_total, entry.checks_successful) == (None, None)

    @pytest.mark.parametrize(
        ("time", "seconds"),
        [
            ("2026-05-04T16:02:00+02:00", 1_777_903_320),
            ("2026-05-04T14:02:00", 1_777_903_320),
            (1_777_903_320_123, 1_777_903_320),
            (1_777_903_320, 1_777_903_320),
            ("0001-01-01T00:00:00+14:00", 0),
            ("9999-12-31T23:59:59-14:00", 253_402_351_199),
            ("yesterday", None),
            (-5, None),
            (1.5, None),
            (None, None),
        ],
    )
    def test_the_last_check_is_a_time_or_absent(self, time: object, seconds: int | None) -> None:
        assert one(lastCheck=time).checked_at == seconds

    @pytest.mark.parametrize("provider", ["", "0x12", 5, None, "0x" + "g" * 40, AURORA + "0", []])
    def test_what_has_no_address_or_no_model_is_left_out(self, provider: object) -> None:
        assert reported({**FULL, "provider": provider}, {**FULL, "model": ""}, None, "x", []) == ()

    def test_text_is_one_line_and_cut(self) -> None:
        assert one(model="<script>\n\u202e" + "x" * 999).model == "<script> " + "x" * 291

    def test_thousands_of_entries_are_read_and_more_are_cut(self) -> None:
        assert len(reported(*[FULL] * (MAX_ENTRIES + 5))) == MAX_ENTRIES

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{}",
            b'{"services":{}}',
            b'{"data":[]}',
            b"<html>",
            b"[" * 100_000,
            b'{"services":[' + b"9" * 5000 + b"]}",
        ],
    )
    def test_a_reply_without_a_list_is_malformed(self, body: bytes) -> None:
        with pytest.raises(MalformedReply):
            parse_health(body)


class TestModels:
    def listed(self, *cards: Any) -> Any:
        return parse_models(json.dumps({"data": list(cards)}).encode())

    def test_a_card_comes_with_its_provider(self) -> None:
        (found,) = self.listed({"provider": AURORA.upper().replace("0X", "0x"), "id": "glm"})
        assert (found.provider, found.model) == (AURORA.lower(), "glm")

    def test_what_cannot_be_placed_is_left_out(self) -> None:
        assert self.listed({"id": "glm"}, {"provider": AURORA}, None, 5, []) == ()

    def test_a_reply_without_a_list_is_malformed(self) -> None:
        with pytest.raises(MalformedReply):
            parse_models(b'{"services":[]}')

    def test_prices_can_be_left_out(self) -> None:
        pricing = {"prompt": "1", "tiered_pricing": [{}], "cache_token_billing": {}}
        card = ModelCard.parse({"id": "m", "context_length": 8, "pricing": pricing})
        assert card.prompt_price == 1
        assert without_prices(card) == ModelCard(id="m", context_length=8)


class TestJoining:
    def entry(self, model: str, checked_at: int | None = None) -> ReportedHealth:
        return ReportedHealth(AURORA.lower(), model, checked_at=checked_at)

    def test_providers_are_found_in_any_case(self) -> None:
        entries = reported(FULL, {**FULL, "provider": CUMULUS.upper().replace("X", "x")})
        assert set(by_provider(entries)) == {AURORA.lower(), CUMULUS}

    def test_the_exact_model_comes_first_then_the_canonical_one(self) -> None:
        both = [self.entry("canonical"), self.entry("exact")]
        assert health_of(both, "exact", "canonical") is both[1]
        assert health_of(both, "other", "canonical") is both[0]
        assert health_of(both, "other", "") is None

    def test_the_only_entry_is_of_the_only_model(self) -> None:
        only = [self.entry("drifted")]
        assert health_of(only, "m") is only[0]
        assert health_of(only, "m", alone=False) is None
        assert health_of([], "m") is None

    def test_of_two_about_one_model_the_latest_check_counts(self) -> None:
        old, new, silent = self.entry("m", 5), self.entry("m", 9), self.entry("m")
        assert health_of([new, old, silent], "m") is new
        again = self.entry("m", 9)
        assert health_of([new, again], "m") is again


@pytest.mark.usefixtures("local_server")
class TestAsking:
    def ask(self, script: Script, path: str = "") -> tuple[ReportedHealth, ...]:
        with serving(script) as server:
            api = StatusApi(server.url + path, local=True)
            try:
                return api.health()
            finally:
                api.close()

    def test_both_lists_have_their_path(self) -> None:
        def script(exchange: Exchange) -> None:
            body = {
                "/health": {"services": [FULL]},
                "/models": {"data": [{"id": "a", "provider": AURORA}]},
            }
            exchange.reply(json.dumps(body[exchange.path]).encode())

        with serving(script) as server:
            api = StatusApi(server.url + "/", local=True)
            assert [entry.model for entry in api.health()] == ["glm"]
            assert [entry.model for entry in api.models()] == ["a"]
            api.close()

    @pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "503 Busy"])
    def test_an_error_is_a_refusal_in_words_of_ours(self, status: str) -> None:
        with pytest.raises(ProviderRefused, match="status service answered with") as refused:
            self.ask(lambda e: e.reply(b"<script>", status=status))
        assert refused.value.status == int(status[:3])

    def test_a_web_page_is_malformed(self) -> None:
        with pytest.raises(MalformedReply, match="status service"):
            self.ask(lambda e: e.reply(b"<html>Welcome</html>", "content-type: text/html"))

    def test_a_redirect_is_not_followed(self) -> None:
        with pytest.raises(DestinationRefused):
            self.ask(lambda e: e.reply(b"", "location: http://127.0.0.1/", status="302 Found"))

    def test_fifty_megabytes_are_not_read(self) -> None:
        sent = 0

        def script(exchange: Exchange) -> None:
            nonlocal sent
            exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 52428800\r\n\r\n")
            for _ in range(50):
                exchange.send(b" " * (1 << 20))
                sent += 1

        with pytest.raises(ReplyTooLarge):
            self.ask(script)
        assert sent < 50

    def test_a_dead_host_is_unreachable(self) -> None:
        with serving(lambda e: None) as server:
            pass
        with pytest.raises(ProviderUnreachable):
            StatusApi(server.url, local=True).health()

    def test_waiting_has_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from zgcompute import status_api
        from zgcompute._limits import STATUS, Limits
        from zgcompute.errors import ProviderTimeout

        assert (STATUS.total, STATUS.max_bytes) == (10, 5 << 20)
        monkeypatch.setattr(status_api, "STATUS", Limits(0.2, 0.2, 0.2, 100))
        with pytest.raises(ProviderTimeout):
            self.ask(lambda e: time.sleep(0.6))


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://status.example", "https://[::1]"])
def test_only_local_networks_may_have_a_private_one(url: str) -> None:
    with pytest.raises(DestinationRefused):
        StatusApi(url).health()
