from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.zgcompute.cli.desk import ALICE_KEY, Desk, json_of, key_for, shape
from zgcompute.testing import Fault

ELSEWHERE = "0x4444444444444444444444444444444444444444"
VERIFICATION = {
    "outcome": "str",
    "reason": "str",
    "expected_signer": "str",
    "signer": "str",
    "request_matches": "bool",
    "response_matches": "bool",
}
QUICK_FAULTS = set(Fault) - {Fault.NO_SIGNATURE, Fault.LATE_SIGNATURE}
FEE = {"neuron": "str", "og": "str", "basis": "str", "is_upper_bound": "bool"}


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("mode", [[], ["--stream"], ["--no-stream"]])
def test_the_answer_is_on_stdout_and_its_cost_and_proof_on_stderr(
    desk: Desk, mode: list[str]
) -> None:
    result = desk.ask("chat", *mode, "Hello there")
    assert result.exit_code == 0
    assert result.stdout == f"{desk.provider.answer}\n"
    assert result.stderr == (
        "Fee: 0.012 0G (12000000000000000 neuron)\n"
        "Verification: verified. Signed by the provider's TEE signer, over exactly the bytes"
        " received.\n"
    )


@pytest.mark.parametrize("mode", ["--stream", "--no-stream"])
def test_json_has_a_stable_shape_and_nothing_beside_it(desk: Desk, mode: str) -> None:
    result = desk.ask("chat", "--json", mode, "Hello there")
    assert (result.exit_code, result.stderr) == (0, "")
    assert shape(json_of(result)) == {
        "text": "str",
        "reasoning": "str",
        "model": "str",
        "finish_reason": "str",
        "response_id": "str",
        "usage": {"prompt_tokens": "int", "completion_tokens": "int", "cached_tokens": "int"},
        "fee": FEE,
        "verification": VERIFICATION,
    }
    assert json_of(result)["fee"]["neuron"] == "12000000000000000"
    assert json_of(result)["fee"]["og"] == "0.012"


def test_without_usage_the_words_are_billed_and_said_so(desk: Desk) -> None:
    desk.provider.fault = Fault.NO_USAGE
    found = json_of(desk.ask("chat", "--json", "Hello"))
    assert (found["usage"], found["fee"]["basis"]) == (None, "words")


def test_the_model_may_be_told_something_first(desk: Desk) -> None:
    desk.ask("chat", "--system", "Be brief", "Hello")
    wanted = '"messages":[{"content":"Be brief","role":"system"},{"content":"Hello","role":"user"}]'
    assert wanted.encode() in desk.provider.bodies[0]


def test_a_question_can_come_from_standard_input(desk: Desk) -> None:
    assert desk.ask("chat", "-", stdin="What is\nthis?").exit_code == 0
    assert b"What is\\nthis?" in desk.provider.bodies[0]


@pytest.mark.parametrize("mode", ["--stream", "--no-stream", "--json"])
@pytest.mark.parametrize("fault", [Fault.TAMPERED_ANSWER, Fault.WRONG_SIGNER])
def test_a_failed_verification_ends_with_5(desk: Desk, fault: Fault, mode: str) -> None:
    desk.provider.fault = fault
    result = desk.ask("chat", mode, "Hello")
    assert result.exit_code == 5
    assert "failed" in (result.stdout if mode == "--json" else result.stderr)
    assert result.stdout


def test_what_cannot_be_verified_is_said_and_is_no_failure() -> None:
    result = Desk(verifiability="TeeTLS").ask("chat", "Hello")
    assert result.exit_code == 0
    assert "Verification: not verifiable. " in result.stderr


def test_what_was_not_checked_is_said_and_is_no_failure(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    desk.provider.fault = Fault.NO_SIGNATURE
    result = desk.ask("chat", "Hello")
    assert result.exit_code == 0
    assert "Verification: not checked. " in result.stderr


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.RATE_LIMITED, 3),
        (Fault.BUSY, 3),
        (Fault.SERVER_ERROR, 3),
        (Fault.EXPIRED_SESSION, 3),
        (Fault.RESERVE, 3),
        (Fault.UNREACHABLE, 4),
        (Fault.DISCONNECT, 4),
        (Fault.STALL, 4),
    ],
)
@pytest.mark.parametrize("mode", ["--stream", "--no-stream", "--json"])
def test_each_failure_has_its_status_and_its_remedy(
    desk: Desk, fault: Fault, status: int, mode: str
) -> None:
    desk.provider.fault = fault
    result = desk.ask("chat", mode, "Hello")
    assert result.exit_code == status
    error, advice = result.stderr.splitlines()
    assert error.startswith("Error: ")
    assert advice
    if mode == "--json":
        assert result.stdout == ""


def test_a_broken_answer_stays_visible_up_to_the_break(desk: Desk) -> None:
    desk.provider.fault = Fault.DISCONNECT
    result = desk.ask("chat", "Hello")
    assert result.stdout.endswith("\n")
    assert desk.provider.answer.startswith(result.stdout.strip("\n"))


def test_an_unreachable_chain_ends_with_4(desk: Desk) -> None:
    desk.chain.down = True
    assert desk.ask("chat", "Hello").exit_code == 4


def test_a_provider_without_a_service_ends_with_3(desk: Desk) -> None:
    result = desk.run("inf", "chat", "--network", "devnet", "--provider", ELSEWHERE, "Hello")
    assert result.exit_code == 3
    assert "Choose another provider" in result.stderr


def test_a_missing_key_ends_with_2_and_nothing_is_asked(desk: Desk) -> None:
    for key in (None, "   "):
        result = desk.ask("chat", "Hello", key=key)
        assert result.exit_code == 2
        assert "ZG_API_KEY is not set" in result.stderr
    assert desk.networks == []


def test_a_key_for_another_provider_is_never_sent(desk: Desk) -> None:
    result = desk.ask("chat", "Hello", key=key_for(ELSEWHERE))
    assert result.exit_code == 2
    assert desk.provider.bodies == []


@pytest.mark.parametrize("bad", ["--provider=0x12", "--network=nonet", "--rpc=ftp://x"])
def test_wrong_use_ends_with_2(desk: Desk, bad: str) -> None:
    assert desk.ask("chat", bad, "Hello").exit_code == 2


def test_what_a_provider_says_cannot_drive_the_terminal(desk: Desk) -> None:
    desk.provider.answer = "a\x1b]0;owned\x07b\x9b31mc\r\nd\te \u202eevil ünïcode 👩‍🔬"
    for mode in ("--stream", "--no-stream"):
        shown = desk.ask("chat", mode, "Hello").stdout
        assert not set(shown) & set("\x1b\x07\x9b\r\u202e")
        assert "ünïcode 👩‍🔬" in shown
        assert "d\te" in shown
    assert desk.ask("chat", "--json", "Hello").stdout.isascii()


@pytest.mark.parametrize("fault", [None, *sorted(QUICK_FAULTS)])
def test_the_key_is_in_no_output_whatever_happens(desk: Desk, fault: Fault | None) -> None:
    desk.provider.fault = fault
    for mode in ("--stream", "--no-stream", "--json"):
        result = desk.ask("chat", mode, "Hello")
        assert desk.api_key not in result.stdout + result.stderr
        assert desk.api_key not in repr(result.exception)


def test_a_provider_that_repeats_the_key_does_not_get_it_printed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zgcompute.refusals import refusal

    def chat(api_key: str, body: bytes) -> None:
        raise refusal(400, f'{{"error":"bad token {api_key[:200]}\\u001b[2J"}}'.encode())

    monkeypatch.setattr(desk.provider, "chat", chat)
    result = desk.ask("chat", "--no-stream", "Hello")
    assert result.exit_code == 3
    assert "bad token app-sk-…" in result.stderr
    assert desk.api_key[8:40] not in result.stderr
    assert "\x1b" not in result.stderr


def test_a_damaged_key_is_not_repeated(desk: Desk) -> None:
    damaged = desk.api_key[:-9] + "!" * 9
    result = desk.ask("chat", "Hello", key=damaged)
    assert result.exit_code == 2
    assert damaged[8:60] not in result.stderr + result.stdout


def test_without_an_api_key_the_wallet_signs_a_session(desk: Desk) -> None:
    desk.fund(deposit="10", transfer="4")
    result = desk.ask("chat", "Hello", key=None, ZG_PRIVATE_KEY=ALICE_KEY)
    assert (result.exit_code, result.stdout) == (0, f"{desk.provider.answer}\n")
    assert result.stderr.count("signs a session") == 1
    assert ALICE_KEY[2:] not in result.output


def test_piped_input_is_the_question(desk: Desk) -> None:
    assert desk.ask("chat", stdin="Piped\n").exit_code == 0
    assert b"Piped" in desk.provider.bodies[0]


def test_a_conversation_remembers_what_was_said(desk: Desk) -> None:
    result = desk.ask("chat", typed="First\n\nSecond\n/exit\nnever asked\n")
    assert result.exit_code == 0
    assert len(desk.provider.bodies) == 2
    assert b"First" in desk.provider.bodies[1]
    assert b'"role":"assistant"' in desk.provider.bodies[1]
    assert result.stdout == f"{desk.provider.answer}\n" * 2
    assert result.stderr.count("Fee: ") == result.stderr.count("Verification: verified") == 2


def test_a_failure_in_a_conversation_is_told_and_does_not_end_it(desk: Desk) -> None:
    desk.provider.fault = Fault.RATE_LIMITED
    result = desk.ask("chat", typed="First\nSecond\n")
    assert result.exit_code == 0
    assert result.stderr.count("Error: ") == 2


def test_a_conversation_with_a_false_answer_ends_with_5(desk: Desk) -> None:
    desk.provider.fault = Fault.WRONG_SIGNER
    assert desk.ask("chat", typed="First\n").exit_code == 5
    assert desk.ask("chat", "--json", typed="First\n").exit_code == 2


def test_ctrl_c_stops_an_answer_and_keeps_its_part(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zgcompute.answer_streams import AnswerStream

    pieces = AnswerStream.__iter__

    def interrupted(stream: AnswerStream) -> Iterator[str]:
        yield next(iter(pieces(stream)))
        monkeypatch.setattr(AnswerStream, "__iter__", pieces)
        raise KeyboardInterrupt

    monkeypatch.setattr(AnswerStream, "__iter__", interrupted)
    result = desk.ask("chat", typed="First\nSecond\n")
    assert result.exit_code == 0
    assert "Stopped. The part is kept" in result.stderr
    assert b'"role":"assistant"' in desk.provider.bodies[1]
