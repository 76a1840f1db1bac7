"""What Intel says of a platform, in our words."""

from __future__ import annotations

import pytest

from zgcompute.attestation import CheckVerdict
from zgcompute.attestation.hardware import check_tcb, judge_status


@pytest.mark.parametrize("status", ["UpToDate", "SWHardeningNeeded"])
def test_a_current_platform_passes(status: str) -> None:
    check = judge_status(status, ["INTEL-SA-00837"])
    assert check.verdict is CheckVerdict.PASSED
    assert (check.found, check.reason) == (status, "INTEL-SA-00837")


@pytest.mark.parametrize(
    "status",
    ["OutOfDate", "ConfigurationNeeded", "OutOfDateConfigurationNeeded", "Revoked", "", "uptodate"],
)
def test_any_other_fails_and_then_counts(status: str) -> None:
    check = judge_status(status, [])
    assert check.verdict is CheckVerdict.FAILED
    assert check.required


def test_without_lists_the_question_stays_open_and_is_not_required() -> None:
    check = check_tcb(b"", "", "Intel's service cannot be reached.", 0)
    assert check.verdict is CheckVerdict.UNCHECKED
    assert not check.required
    assert check.reason == "Intel's service cannot be reached."
