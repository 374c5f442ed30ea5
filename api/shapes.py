"""Shapes of requests and answers, for validation of what comes in and for the API document.

Answers are encoded by msgspec straight from the stores; a test holds them to these shapes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""What a person wrote, without NUL: PostgreSQL cannot hold it."""


class Shape(BaseModel):
    """Closed: a field that is not listed is an error."""

    model_config = ConfigDict(extra="forbid")


class Name(Shape):
    """A name in both languages."""

    zh: str
    en: str


class LoginRequest(Shape):
    """Either `username` and `password`, or the one-time `code` that the platform printed."""

    username: Text | None = Field(default=None, min_length=1, max_length=100)
    password: str | None = Field(default=None, min_length=1, max_length=200)
    code: str | None = Field(default=None, min_length=1, max_length=200)


class Session(Shape):
    """Who is logged in. csrf goes into the X-CSRF-Token header of every change."""

    user: str
    role: Literal["viewer", "operator", "engineer", "admin"]
    csrf: str
    expires_at: int


class Kpi(Shape):
    """A figure of the screen's top row. show: the value, or today's increment."""

    point: str
    name: Name
    unit: str
    show: Literal["value", "today"]


class Park(Shape):
    """The park. bounds: west, south, east, north in degrees; model: hash of the model's files."""

    id: str
    name: Name
    timezone: str
    bounds: tuple[float, float, float, float]
    zones: list[str]
    types: dict[str, Name]
    kpis: list[Kpi]
    model: str


class Related(Shape):
    """A relation seen from an asset: `out` when it is the source, `in` when the target."""

    relation: str
    direction: Literal["in", "out"]
    asset: str


class AssetProperties(Shape):
    """An asset. points: ids of what is measured on it."""

    type: str
    name: Name
    attributes: dict[str, Any]
    points: list[str]


class Feature(Shape):
    """An asset as GeoJSON (RFC 7946), WGS 84."""

    type: Literal["Feature"]
    id: str
    geometry: dict[str, Any] | None
    properties: AssetProperties


class RelatedFeature(Feature):
    """An asset with its relations."""

    relations: list[Related]


class FeatureCollection(Shape):
    """Assets as GeoJSON."""

    type: Literal["FeatureCollection"]
    features: list[Feature]


class Point(Shape):
    """One property of one asset. low, high: physical range; stale_s: age at which it is stale."""

    point: str
    asset: str
    property: str
    unit: str
    domain: str
    kind: Literal["gauge", "counter", "state", "derived"]
    low: float | None
    high: float | None
    stale_s: float
    name: Name


class History(Shape):
    """A point's history. Raw rows are t, v, q; others t, v, good_share, covered_s.

    t: Unix ms (start of the bucket); v: null when there is no (good) value; q: quality byte;
    good_share: share of good readings, 0 to 1; covered_s: seconds the good values cover. When
    truncated, ask again with from = next.
    """

    point: str
    unit: str
    every: Literal["raw", "1m", "15m", "1h", "1d"]
    agg: Literal["mean", "min", "max", "last", "increment"] | None
    columns: list[str]
    rows: list[list[float | None]]
    truncated: bool
    next: int | None


class Twin(Shape):
    """Values by point: value or null, event time (Unix ms), quality byte."""

    at: int
    values: dict[str, tuple[float | None, int, int]]


class Alarm(Shape):
    """An open alarm: active, or unacknowledged. since: event time; raised_at: wall time (ms)."""

    id: str
    occurrence: int
    rule: str
    point: str
    asset: str
    name: Name
    message: Name
    priority: Literal["critical", "high", "medium", "low"]
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


class Alarms(Shape):
    """The open alarms."""

    alarms: list[Alarm]


class Acknowledgement(Shape):
    """Which occurrence was seen, and a word on it."""

    occurrence: int = Field(ge=1, le=2**53, strict=True)
    comment: Text | None = Field(default=None, max_length=1000)


class Transition(Shape):
    """One step of one alarm. at: event time; recorded_at: wall time (ms)."""

    seq: int
    alarm: str
    rule: str
    point: str
    occurrence: int
    kind: str
    before: str
    after: str
    at: int
    recorded_at: int
    value: float | None
    limit: float | None
    unit: str
    priority: str
    message: Name
    annunciate: bool
    user: str | None
    comment: str | None


class AlarmHistory(Shape):
    """Transitions, newest first. next: pass as `before` for older ones."""

    transitions: list[Transition]
    next: int | None


class Gateway(Shape):
    """A gateway. lag_ms: since its last message; waiting: readings not yet acknowledged."""

    id: str
    name: Name
    online: bool
    last_seen_at: int | None
    lag_ms: int | None
    waiting: int
    details: dict[str, Any]


class Gateways(Shape):
    """Every gateway of the model or seen."""

    gateways: list[Gateway]


class LedgerRow(Shape):
    """The account of one (source, box): committed - first + 1 = stored + quarantined + lost +

    missing, for sources with sequence numbers; imbalance is what that leaves unexplained.
    """

    source: str
    box: str
    kind: Literal["native", "foreign", "derived"]
    first: int
    committed: int
    stored: int
    quarantined: int
    lost: int
    missing: int
    duplicates: int
    corrections: int
    refused: int
    last_received_at: int
    gaps: list[tuple[int, int]]
    imbalance: int


class Ledger(Shape):
    """Every account. epoch names the journal; end is the number of readings it has taken."""

    epoch: str
    end: int
    rows: list[LedgerRow]


class Quarantined(Shape):
    """What could not be stored. raw: the first bytes as base64, text: the same, readable."""

    id: int
    at: int
    source: str
    box: str
    sequence: int
    topic: str
    code: str
    reason: str
    size: int
    raw: str
    text: str
    released: bool


class Quarantine(Shape):
    """Quarantined messages and items, oldest first. next: pass as `after` for more."""

    rows: list[Quarantined]
    next: int | None


class FieldProblem(Shape):
    """What is wrong with one field."""

    field: str
    problem: str
    in_: str = Field(alias="in")


class Problem(BaseModel):
    """RFC 9457. advice: what to do about it; errors: the fields that are not valid."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    advice: str
    errors: list[FieldProblem] | None = None


class Ready(Shape):
    """Readiness. wrong: what is not, by check, in the caller's language."""

    ready: bool
    wrong: dict[str, str]
