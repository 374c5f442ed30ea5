"""An open alarm as screens and the API show it."""

from __future__ import annotations

from dataclasses import dataclass

from twin.alarms.message import message
from twin.alarms.rule import Rules
from twin.alarms.standing import Standing, Transition
from twin.model.names import Name


@dataclass(frozen=True, slots=True)
class AlarmView:
    """id: "rule:point"; state: UNACK, ACKED or RTN-UNACK while nothing keeps the alarm quiet.

    since: when the condition began (event ms); raised_at: when it was raised (wall ms); value and
    limit in `unit` (seconds for no-data), as of the raise; acked_at: wall ms.
    """

    id: str
    occurrence: int
    rule: str
    point: str
    asset: str
    name: Name
    message: Name
    priority: str
    state: str
    active: bool
    unacked: bool
    since: int
    raised_at: int
    value: float | None
    limit: float | None
    unit: str
    consequence: Name
    action: Name
    acked_by: str | None
    acked_at: int | None


def view(rules: Rules, standing: Standing, raised: Transition | None) -> AlarmView:
    """A standing with the words of its rule; `raised` is the raise of its present occurrence.

    What was said at the raise stays said, even when the rule's limit was changed since.
    """
    i = rules.index[standing.id]
    rule, subject = rules.rows[i], rules.subjects[i]
    silent = rule.condition.kind == "no_data"
    return AlarmView(
        id=standing.id,
        occurrence=standing.memory.occurrence,
        rule=standing.rule,
        point=standing.point,
        asset=subject.asset.id,
        name=rule.name,
        message=raised.message if raised else message(subject, rule.condition, standing.value),
        priority=raised.priority if raised else rule.priority,
        state=standing.memory.state.value,
        active=standing.memory.active,
        unacked=standing.memory.unacked,
        since=standing.since,
        raised_at=standing.raised_at,
        value=standing.value,
        limit=raised.limit if raised else rule.condition.value,
        unit=raised.unit if raised else ("s" if silent else subject.point.unit),
        consequence=rule.consequence,
        action=rule.action,
        acked_by=standing.acked_by,
        acked_at=standing.acked_at,
    )
