"""Who of the callers a staged challenger gets: always the same ones, and the share that is said."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from contracts.champion import Office
from contracts.release.rollout import STEPS, Rollout

NOW = datetime(2025, 7, 1, tzinfo=UTC)
RELEASE = Rollout(
    *("d1", "r1", "sim20", "trend_1", "b" * 64, "finpulse-sim20-trend_1", 2, "a" * 64),
    *("canary", 0.1, "PROMOTE", "because", "manual", NOW),
)
CALLERS = [f"caller-{number}" for number in range(20_000)]


def takes(share: float, release: str = "r1") -> set[str]:
    """Those of the callers that it gets."""
    asked = replace(RELEASE, share=share, rollout_id=release)
    return {caller for caller in CALLERS if asked.takes(caller)}


@given(st.text(), st.text(min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_whoever_is_in_a_small_share_stays_in_a_larger_one(
    caller: str, release: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    asked = replace(RELEASE, rollout_id=release)
    within = replace(asked, share=small).takes(caller)
    assert not within or replace(asked, share=large).takes(caller)
    assert not replace(asked, share=0.0).takes(caller)
    assert replace(asked, share=1.0).takes(caller)


def test_shares_are_what_they_say_small_ones_too() -> None:
    for share in (0.01, 0.1, 0.5):
        # Four standard deviations of a binomial count.
        error = 4 * (share * (1 - share) / len(CALLERS)) ** 0.5
        assert abs(len(takes(share)) / len(CALLERS) - share) < error


def test_another_release_draws_others() -> None:
    both = takes(0.1) & takes(0.1, "r2")
    assert abs(len(both) / len(CALLERS) - 0.01) < 0.004


def test_the_draw_is_the_published_hash_so_that_workers_and_restarts_agree() -> None:
    digest = sha256(b"r1caller-7").hexdigest()
    share = int(digest[:16], 16) / 2**64
    assert replace(RELEASE, share=share + 1e-9).takes("caller-7")
    assert not replace(RELEASE, share=share).takes("caller-7")


def test_a_challenger_stands_as_it_would_in_office() -> None:
    held = RELEASE.challenger
    assert (held.bundle, held.model_version, held.office) == (
        *(RELEASE.bundle, 2),
        Office("sim20", "trend_1"),
    )
    assert RELEASE.staged and not replace(RELEASE, stage="out").staged
    assert [share for _, share in STEPS] == sorted(share for _, share in STEPS)
