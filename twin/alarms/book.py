"""The book of alarms: how each stands, its transitions, and what has yet to be recorded.

Owns the step from "the delay has run out" to a transition with its sentence, and acknowledgement.
Durability is the caller's: `take_dirty` tells what to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from twin.alarms.delay import NOT_DUE, Delays
from twin.alarms.machine import Event, Memory, step
from twin.alarms.message import message
from twin.alarms.rule import Rules
from twin.alarms.standing import Kind, Standing, Transition
from twin.model.names import Name

_NOTHING: Final = Name("", "")

Found = list[tuple[int, int, Transition]]
"""Transitions as (event time, instance, transition), to be put in order at the end."""


class UnknownAlarm(LookupError):
    """No alarm of that id was ever raised."""


class StaleOccurrence(Exception):
    """The alarm was raised again since; `current` is the occurrence to look at now."""

    def __init__(self, alarm: str, occurrence: int, current: int) -> None:
        super().__init__(f"{alarm}: occurrence {occurrence} is not the present one ({current})")
        self.alarm = alarm
        self.occurrence = occurrence
        self.current = current


class AlarmBook:
    """Standings by instance number; alarms that were never near a raise have none."""

    def __init__(self, rules: Rules, delays: Delays) -> None:
        self._rules = rules
        self._delays = delays
        self._standing: dict[int, Standing] = {}
        self._raise: dict[int, Transition] = {}  # of the present occurrence
        self._dirty: set[int] = set()

    def note(self, i: int) -> None:
        """The delay of an instance changed: it has to be recorded."""
        self._get(i)
        self._dirty.add(i)

    def fire(self, i: int, at: int, signal: float, wall: int, found: Found) -> None:
        """A delay has run out: raise or clear, as the condition now says.

        at: when it ran out; signal: the value as of then, NaN for none; wall: noted only.
        """
        delays = self._delays
        delays.due[i] = NOT_DUE
        self._dirty.add(i)
        standing = self._get(i)
        before = standing.memory
        value = None if signal != signal else signal
        if delays.condition[i]:
            done = step(before, Event.RAISE)
            text = message(self._rules.subjects[i], self._rules.rows[i].condition, value)
            self._standing[i] = replace(
                standing,
                memory=done.memory,
                since=int(delays.since[i]),
                raised_at=wall,
                value=value,
                acked_by=None,
                acked_at=None,
                ack_comment=None,
            )
            transition = self._transition(
                i, Kind.RAISED, before, done.memory, at, wall, value, text, done.annunciate
            )
            self._raise[i] = transition
        else:
            done = step(before, Event.CLEAR)
            self._standing[i] = replace(standing, memory=done.memory)
            transition = self._transition(
                i, Kind.CLEARED, before, done.memory, at, wall, value, self._text(i)
            )
        delays.active[i] = done.memory.active
        found.append((at, i, transition))

    def acknowledge(
        self, alarm: str, occurrence: int, user: str, comment: str | None, now_ms: int
    ) -> Transition | None:
        """Acknowledge one occurrence; None when it already is.

        Raises `UnknownAlarm`, and `StaleOccurrence` when it is not the present occurrence.
        """
        i = self._rules.index.get(alarm)
        if i is None or i not in self._standing or not self._standing[i].memory.occurrence:
            raise UnknownAlarm(alarm)
        standing = self._standing[i]
        before = standing.memory
        if before.occurrence != occurrence:
            raise StaleOccurrence(alarm, occurrence, before.occurrence)
        done = step(before, Event.ACKNOWLEDGE)
        if not done.changed:
            return None
        self._standing[i] = replace(
            standing, memory=done.memory, acked_by=user, acked_at=now_ms, ack_comment=comment
        )
        self._dirty.add(i)
        return self._transition(
            i,
            Kind.ACKNOWLEDGED,
            before,
            done.memory,
            now_ms,
            now_ms,
            standing.value,
            self._text(i),
            user=user,
            comment=comment,
        )

    def put_back(self, standing: Standing) -> None:
        """Undo an acknowledgement that could not be recorded; `standing` is what was before."""
        self._standing[self._rules.index[standing.id]] = standing

    def standing(self, alarm: str) -> Standing | None:
        """One alarm as it stands; None when it was never raised nor pending."""
        i = self._rules.index.get(alarm)
        return None if i is None or i not in self._standing else self._current(i)

    def raised(self, alarm: str) -> Transition | None:
        """The raise of an alarm's present occurrence."""
        i = self._rules.index.get(alarm)
        return None if i is None else self._raise.get(i)

    def open(self) -> list[tuple[Standing, Transition | None]]:
        """Open alarms with the raise of their present occurrence, the newest raise first."""
        found = [
            (self._current(i), self._raise.get(i))
            for i, standing in self._standing.items()
            if standing.memory.open
        ]
        found.sort(key=lambda pair: (-pair[0].raised_at, pair[0].id))
        return found

    def take_dirty(self) -> list[Standing]:
        """What must be recorded since the last call; on failure hand it to `mark_dirty`."""
        changed = [self._current(i) for i in sorted(self._dirty)]
        self._dirty.clear()
        return changed

    def mark_dirty(self, standings: Iterable[Standing]) -> None:
        """These alarms still have to be recorded."""
        self._dirty.update(self._rules.index[s.id] for s in standings)

    def restore(
        self, standings: Sequence[Standing], raises: Sequence[Transition], wall_ms: int
    ) -> tuple[list[Standing], list[Transition]]:
        """Take over recorded standings; raises: the raise of the present occurrence of open ones.

        Alarms whose rule or point left the model are retired: returns their standings and
        transitions, to be recorded.
        """
        raised = {t.alarm: t for t in raises}
        gone: list[Standing] = []
        steps: list[Transition] = []
        for standing in standings:
            i = self._rules.index.get(standing.id)
            if i is not None:
                self._standing[i] = standing
                self._delays.load(i, standing)
                if standing.id in raised:
                    self._raise[i] = raised[standing.id]
            elif standing.memory.open or standing.pending:
                memory = replace(standing.memory, active=False, unacked=False, latched=False)
                gone.append(replace(standing, memory=memory, pending=None))
                if standing.memory.open:
                    steps.append(_retirement(standing, memory, raised.get(standing.id), wall_ms))
        return gone, steps

    def _get(self, i: int) -> Standing:
        found = self._standing.get(i)
        if found is None:
            rule, point = self._rules.rows[i].id, self._rules.subjects[i].point.id
            found = self._standing[i] = Standing(self._rules.ids[i], rule, point)
        return found

    def _current(self, i: int) -> Standing:
        return replace(self._get(i), pending=self._delays.pending(i))

    def _text(self, i: int) -> Name:
        raised = self._raise.get(i)
        return raised.message if raised else _NOTHING

    def _transition(
        self,
        i: int,
        kind: Kind,
        before: Memory,
        after: Memory,
        at: int,
        wall: int,
        value: float | None,
        text: Name,
        annunciate: bool = False,
        user: str | None = None,
        comment: str | None = None,
    ) -> Transition:
        rule, point = self._rules.rows[i], self._rules.subjects[i].point
        return Transition(
            alarm=self._rules.ids[i],
            rule=rule.id,
            point=point.id,
            occurrence=after.occurrence,
            kind=kind,
            before=before.state,
            after=after.state,
            at=at,
            recorded_at=wall,
            value=value,
            limit=rule.condition.value,
            unit="s" if rule.condition.kind == "no_data" else point.unit,
            priority=rule.priority,
            message=text,
            annunciate=annunciate,
            user=user,
            comment=comment,
        )


def in_order(found: Found) -> list[Transition]:
    """By event time, then by instance; one instance's transitions keep their order."""
    return [transition for _, _, transition in sorted(found, key=lambda item: item[:2])]


def _retirement(
    standing: Standing, after: Memory, raised: Transition | None, wall: int
) -> Transition:
    return Transition(
        alarm=standing.id,
        rule=standing.rule,
        point=standing.point,
        occurrence=standing.memory.occurrence,
        kind=Kind.RETIRED,
        before=standing.memory.state,
        after=after.state,
        at=wall,
        recorded_at=wall,
        value=standing.value,
        limit=raised.limit if raised else None,
        unit=raised.unit if raised else "",
        priority=raised.priority if raised else "low",
        message=raised.message if raised else _NOTHING,
    )
