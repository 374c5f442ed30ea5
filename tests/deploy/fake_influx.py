"""Stands in for the InfluxDB 2 client ``influx``: keeps its state in a file and records each call.

The real client and server are not to be had here; the answers follow the client's published source.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else ""


def options(arguments: list[str], name: str) -> list[str]:
    return [arguments[i + 1] for i, word in enumerate(arguments) if word == name]


def fail(text: str) -> None:
    print(f"Error: {text}", file=sys.stderr)
    raise SystemExit(1)


def answer(state: dict[str, Any], arguments: list[str]) -> None:
    token = os.environ.get("INFLUX_TOKEN", "")
    command = " ".join(word for word in arguments[:3] if not word.startswith("-"))
    tokens: dict[str, str] = state["tokens"]
    if token not in tokens:
        fail("401 Unauthorized: unauthorized access")
    buckets: dict[str, dict[str, str]] = state["buckets"]
    if command.startswith("bucket list"):
        found = buckets.get(option(arguments, "--name"))
        if found is None:
            fail('failed to find bucket by name: 404 Not Found: bucket "x" not found')
        else:
            print(f"{found['id']}\t{option(arguments, '--name')}\t{found['retention']}\t168h0m0s")
    elif command.startswith("bucket create"):
        name = option(arguments, "--name")
        if name in buckets:
            fail("422 Unprocessable Entity: bucket with name already exists")
        retention = option(arguments, "--retention")
        buckets[name] = {"id": f"{len(buckets) + 1:016x}", "retention": retention}
        print("created")
    elif command.startswith("bucket update"):
        (bucket,) = [b for b in buckets.values() if b["id"] == option(arguments, "--id")]
        bucket["retention"] = option(arguments, "--retention")
    elif command.startswith("v1 dbrp list"):
        name = option(arguments, "--db")
        for row in state["mappings"]:
            if row["db"] == name and row["bucket"] == option(arguments, "--bucket-id"):
                print(f"0a\t{name}\t{row['bucket']}\t{row['rp']}\ttrue\tfalse\t0org")
        print("\nVIRTUAL DBRP MAPPINGS (READ-ONLY)\n----------------------------------")
        print(f"0b\t{name}\t{option(arguments, '--bucket-id')}\tautogen\ttrue\ttrue\t0org")
    elif command.startswith("v1 dbrp create"):
        state["mappings"].append(
            {
                "db": option(arguments, "--db"),
                "rp": option(arguments, "--rp"),
                "bucket": option(arguments, "--bucket-id"),
            }
        )
    elif command.startswith("v1 auth list"):
        name = option(arguments, "--username")
        if name not in state["logins"]:
            fail("could not find Authorizations for specified arguments: 404 Not Found")
        print(f"0c\tGrafana reads\t{name}\toperator\t0user\t[]")
    elif command.startswith("v1 auth create"):
        state["logins"][option(arguments, "--username")] = {
            "password": option(arguments, "--password"),
            "read": options(arguments, "--read-bucket"),
            "write": options(arguments, "--write-bucket"),
        }
    elif command.startswith("v1 auth set-password"):
        login = state["logins"][option(arguments, "--username")]
        login["password"] = option(arguments, "--password")
    elif command.startswith("auth create"):
        made = f"node-token-{len(tokens)}=="
        tokens[made] = " ".join(
            options(arguments, "--read-bucket") + options(arguments, "--write-bucket")
        )
        if os.environ.get("FAKE_NO_TOKEN"):
            made = ""
        print(json.dumps({"id": "0d", "description": "", "token": made}, indent="\t"))
    else:
        fail(f"unknown command {arguments}")


def main() -> None:
    path = Path(os.environ["FAKE_INFLUX_STATE"])
    state = json.loads(path.read_text())
    state["calls"].append(sys.argv[1:])
    try:
        answer(state, sys.argv[1:])
    finally:
        path.write_text(json.dumps(state))


if __name__ == "__main__":
    main()
