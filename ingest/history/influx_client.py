"""One InfluxDB: line protocol in, InfluxQL out, and every failure sorted by what to do about it.

InfluxQL and `/api/v2/write` are what 1.x (behind a proxy), 2.x and 3.x have in common. Nothing is
retried here; the callers know their pace.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import json
from typing import Any

import influxdb_client
import urllib3.exceptions
from influxdb_client.rest import ApiException

from ingest.consume import RetriableError

RETENTION = "beyond retention"


class Rejected(Exception):
    """InfluxDB will never take this body as it is (400, 422): some line of it is wrong."""


class TooLarge(Exception):
    """The body is larger than InfluxDB accepts (413)."""


class Refused(RetriableError):
    """Address, token, organisation or bucket are wrong (401, 403, 404): a person must mend it."""


class Unavailable(RetriableError):
    """It may work later: no answer, 5xx, 429. Whether a write arrived is not known."""


class InfluxLink:
    """A connection pool to one server. Use from any thread; close it.

    timeout_s: for one request. slow_s: pause that is asked for after a refusal.
    """

    def __init__(
        self,
        url: str,
        *,
        org: str = "parktwin",
        token: str = "",
        timeout_s: float = 20.0,
        slow_s: float = 60.0,
        gzip: bool = False,
    ) -> None:
        self.url, self.org, self.slow_s = url.rstrip("/"), org, slow_s
        self._client: Any = influxdb_client.InfluxDBClient(  # type: ignore[attr-defined]
            url=self.url,
            token=token or "-",
            org=org,
            timeout=int(timeout_s * 1000),
            enable_gzip=gzip,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def write(self, bucket: str, body: bytes) -> int:
        """Store lines with times in ms; returns how many were too old for the bucket to keep.

        Raises `Rejected`, `TooLarge`, `Refused` or `Unavailable`.
        """
        try:
            self._client.api_client.call_api(
                "/api/v2/write",
                "POST",
                query_params=[("org", self.org), ("bucket", bucket), ("precision", "ms")],
                header_params={"Content-Type": "text/plain; charset=utf-8"},
                body=body,
            )
        except ApiException as error:
            text = str(error.body or error.reason or "")
            if error.status in (400, 422):
                if RETENTION in text:
                    return _dropped(text)  # the other lines were stored
                raise Rejected(_message(text)) from error
            if error.status == 413:
                raise TooLarge(_message(text)) from error
            raise self._retriable(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"InfluxDB does not answer: {_cause(error)}") from error
        return 0

    def query(self, text: str, bucket: str) -> list[dict[str, Any]]:
        """Series of an InfluxQL query: {"name", "tags", "columns", "values"}, times in ms.

        Raises `Refused` or `Unavailable`; `ValueError` when the query itself is wrong.
        """
        try:
            answer = self._client.api_client.call_api(
                "/query",
                "GET",
                query_params=[("db", bucket), ("q", text), ("epoch", "ms")],
                header_params={"Accept": "application/json"},
                _preload_content=False,
                _return_http_data_only=True,
            )
            try:
                told = json.loads(answer.data)
            finally:
                answer.release_conn()
        except ApiException as error:
            if error.status == 400:
                raise ValueError(_message(str(error.body))) from error
            raise self._retriable(error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"InfluxDB does not answer: {_cause(error)}") from error
        series: list[dict[str, Any]] = []
        for result in told.get("results", []):
            if "error" in result:
                raise ValueError(result["error"])
            series += result.get("series", [])
        return series

    def _retriable(self, error: ApiException) -> RetriableError:
        text = _message(str(error.body or error.reason or ""))
        if error.status in (401, 403, 404):
            return Refused(f"InfluxDB refuses ({error.status}): {text}", self.slow_s)
        headers: Any = error.headers
        asked = headers.get("Retry-After") if headers else None
        return Unavailable(f"InfluxDB answered {error.status}: {text}", _seconds(asked))


def _seconds(asked: str | None) -> float | None:
    """Retry-After, as seconds or as a date."""
    if not asked:
        return None
    try:
        return max(float(asked), 0.0)
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(asked)
    except ValueError:
        return None
    return max((moment - dt.datetime.now(dt.UTC)).total_seconds(), 0.0)


def _dropped(text: str) -> int:
    number = text.rpartition("dropped=")[2]
    digits = "".join(c for c in number[:12] if c.isdigit())
    return int(digits or 1)


def _message(text: str) -> str:
    """The sentence inside an error body."""
    try:
        told = json.loads(text)
    except ValueError:
        return text.strip()[:300]
    if isinstance(told, dict):
        return str(told.get("message") or told.get("error") or text)[:300]
    return text[:300]


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
