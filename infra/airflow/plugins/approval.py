"""A person's approval before what a contest decided comes into office."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context

from contracts.settings import settings

# The next week's challenger is not to find this one still waiting.
PATIENCE = timedelta(days=6)
_WON = "promoted"


class Approval(ApprovalOperator):
    """Asks a person under "Required Actions" where a challenger has won; skips what follows when it
    is refused or nobody answers within six days. Its result says who decided.

    found: what the contest found. Airflow itself waits: no process, no slot, no triggerer.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "found")

    def __init__(self, *, found: str, **options: Any) -> None:
        told = {"response_timeout": PATIENCE, "defaults": self.REJECT}
        super().__init__(**(told | options))
        self.found = found

    def execute(self, context: Context) -> Any:
        """Called by Airflow; a challenger that lost needs nobody."""
        if _WON not in self.found:
            return "nobody was asked: no challenger has won"
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Called by Airflow with the answer."""
        said = self._said(event)
        self.log.info(said)
        # A refusal skips what follows by an exception, after which nothing is returned.
        context["ti"].xcom_push(key="return_value", value=said)
        super().execute_complete(context, event)
        return said

    def _said(self, event: dict[str, Any]) -> str:
        person = (event.get("responded_by_user") or {}).get("name")
        if event.get("chosen_options") == [self.APPROVE]:
            return f"approved by {person}"
        who = f"refused by {person}" if person else f"no answer within {PATIENCE.days} days"
        return f"{who}: nothing is promoted"


def approval(contest: str, office: str) -> list[Approval]:
    """The step between a contest and its promotion, none unless FINPULSE_APPROVAL is `person`.

    contest: the step that says who won; office: whose, as it is shown.
    """
    if settings().approval != "person":
        return []
    found = f"{{{{ ti.xcom_pull(task_ids='{contest}') }}}}"
    return [
        Approval(
            task_id="approval",
            subject=f"May the challenger come into the office {office}?",
            body=found,
            found=found,
        )
    ]
