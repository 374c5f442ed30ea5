#!/bin/sh
# Prepares InfluxDB 2 for ParkTwin, and may run again at any time: two buckets with their
# retention, the database names under which InfluxQL finds them, a login for Grafana that reads,
# and a token for the node that reads and writes these two buckets and nothing else.
set -eu

SECRETS=${PARKTWIN_SECRETS:-/run/parktwin}
TOKEN_FOLDER=${PARKTWIN_TOKEN_FOLDER:-/run/parktwin-token}
RAW_RETENTION=${PARKTWIN_INFLUXDB_RAW_RETENTION:-366d}
ROLLUP_RETENTION=${PARKTWIN_INFLUXDB_ROLLUP_RETENTION:-0}
: "${INFLUX_HOST:?}" "${INFLUX_ORG:?}"

umask 077
INFLUX_TOKEN=$(cat "$SECRETS/influxdb-operator-token")
GRAFANA_PASSWORD=$(cat "$SECRETS/influxdb-grafana-password")
test -n "$INFLUX_TOKEN" && test -n "$GRAFANA_PASSWORD"
export INFLUX_HOST INFLUX_ORG INFLUX_TOKEN

bucket_id() { # name
    # A missing bucket is an error in some versions of the client and an empty list in others.
    influx bucket list --name "$1" --hide-headers 2>/dev/null | cut -f 1 | sed -n '/./{p;q;}'
}

bucket() { # name retention
    id=$(bucket_id "$1")
    if [ -z "$id" ]; then
        influx bucket create --name "$1" --retention "$2" >/dev/null
        id=$(bucket_id "$1")
    else
        influx bucket update --id "$id" --retention "$2" >/dev/null
    fi
    if [ -z "$id" ]; then
        echo "buckets.sh: bucket $1 could not be made" >&2
        exit 1
    fi
    # Mappings that the server only implies are listed after the line VIRTUAL and do not count.
    mapped=$(influx v1 dbrp list --db "$1" --bucket-id "$id" --hide-headers |
        sed -n '/^VIRTUAL/q;/./p')
    if [ -z "$mapped" ]; then
        influx v1 dbrp create --db "$1" --rp autogen --bucket-id "$id" --default >/dev/null
    fi
    echo "buckets.sh: bucket $1 keeps $2 (0 = for ever)"
}

bucket raw "$RAW_RETENTION"
raw=$id
bucket rollup "$ROLLUP_RETENTION"
rollup=$id

# `v1 auth list` fails when the user does not exist; if it failed for another reason, the creation
# below fails too and says why.
grafana=$(influx v1 auth list --username grafana --hide-headers 2>/dev/null | sed -n '/./p') || :
if [ -z "$grafana" ]; then
    influx v1 auth create --username grafana --password "$GRAFANA_PASSWORD" \
        --description "Grafana reads" --read-bucket "$raw" --read-bucket "$rollup" >/dev/null
    echo "buckets.sh: Grafana's login made"
else
    influx v1 auth set-password --username grafana --password "$GRAFANA_PASSWORD" >/dev/null
fi

file=$TOKEN_FOLDER/influxdb-token
if [ -s "$file" ] && INFLUX_TOKEN=$(cat "$file") influx bucket list --name raw >/dev/null 2>&1; then
    echo "buckets.sh: the node's token works"
else
    token=$(influx auth create --description "ParkTwin node" --json \
        --read-bucket "$raw" --read-bucket "$rollup" \
        --write-bucket "$raw" --write-bucket "$rollup" |
        sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
    if [ -z "$token" ]; then
        echo "buckets.sh: InfluxDB gave no token for the node" >&2
        exit 1
    fi
    printf '%s\n' "$token" >"$file.new"
    chmod 400 "$file.new"
    mv -f "$file.new" "$file"
    echo "buckets.sh: the node's token made"
fi
