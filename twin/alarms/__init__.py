"""Alarms after ISA-18.2 / IEC 62682: rules as data, a pure state machine, a vectorised engine.

Pure: times, readings and memories are arguments. What is durable is kept by `twin.records`.
"""

from twin.alarms.machine import Event, Memory, State, Step, derive, step
from twin.alarms.standing import Kind, Pending, Standing, Transition

__all__ = [
    "Event",
    "Kind",
    "Memory",
    "Pending",
    "Standing",
    "State",
    "Step",
    "Transition",
    "derive",
    "step",
]
