"""Who comes back after a rollback."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.champion import KEPT, PROMOTED, REFUSED, ROLLED_BACK
from training.office.succession import stack

Rows = list[tuple[str, str]]


def test_a_rollback_goes_to_the_bundle_promoted_before_and_never_back() -> None:
    rows: Rows = [(PROMOTED, "a"), (PROMOTED, "b"), (KEPT, "x"), (PROMOTED, "c")]
    assert stack(rows) == ["a", "b", "c"]
    assert stack([*rows, (ROLLED_BACK, "b")]) == ["a", "b"]
    assert stack([*rows, (ROLLED_BACK, "b"), (ROLLED_BACK, "a")]) == ["a"]
    assert stack([*rows, (ROLLED_BACK, "b"), (PROMOTED, "d")]) == ["a", "b", "d"]


def test_a_bundle_that_is_promoted_again_in_office_is_not_before_itself() -> None:
    assert stack([(PROMOTED, "a"), (PROMOTED, "b"), (PROMOTED, "b")]) == ["a", "b"]


def test_a_return_to_office_is_a_term_of_its_own() -> None:
    rows: Rows = [(PROMOTED, "a"), (PROMOTED, "b"), (PROMOTED, "a")]
    assert stack(rows) == ["a", "b", "a"]
    assert stack([*rows, (ROLLED_BACK, "b")]) == ["a", "b"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["promote", "back", "keep", "refuse"]),
            st.text("abc", min_size=1, max_size=1),
        )
    )
)
def test_rollbacks_end_at_the_first_champion_and_visit_nobody_twice(
    orders: list[tuple[str, str]],
) -> None:
    rows: Rows = []
    for order, bundle in orders:
        held = stack(rows)
        if order == "promote":
            rows.append((PROMOTED, bundle))
            assert stack(rows)[-1] == bundle
        elif order == "back" and len(held) > 1:
            rows.append((ROLLED_BACK, held[-2]))
            assert held[-2] != held[-1] and stack(rows) == held[:-1]
        elif order in ("keep", "refuse"):
            rows.append((KEPT if order == "keep" else REFUSED, bundle))
            assert stack(rows) == held
