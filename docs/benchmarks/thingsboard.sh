#!/usr/bin/env bash
# What ThingsBoard gateways cost Tidegate: points a second of one gateway, then of many, and what a server that knows
# all their children needs when it starts again. Prints the tables of `tidegate bench`.
#
#   TIDEGATE=target/release/tidegate docs/benchmarks/thingsboard.sh
#
# GATEWAYS=100 CHILDREN=1000 SECONDS_EACH=5 ROUNDS=3 PORT=18840 are the defaults. Everything listens on loopback; folders
# and processes are gone afterwards.
set -euo pipefail

TIDEGATE=${TIDEGATE:-target/release/tidegate}
GATEWAYS=${GATEWAYS:-100}
CHILDREN=${CHILDREN:-1000}
SECONDS_EACH=${SECONDS_EACH:-5}
ROUNDS=${ROUNDS:-3}
PORT=${PORT:-18840}
folder=$(mktemp -d)
pid=

finish() {
    if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi
    wait
    rm -rf "$folder"
}
trap finish EXIT

# Starts the server and waits until it says that it is ready; prints how long that took.
start() {
    local began=${EPOCHREALTIME/./}
    "$TIDEGATE" serve --data "$folder/data" --config "$folder/tidegate.toml" >"$folder/out" 2>"$folder/log" &
    pid=$!
    for _ in $(seq 6000); do
        if grep -q 'MQTT ' "$folder/out"; then
            echo "ready after $(((${EPOCHREALTIME/./} - began) / 1000)) ms, $(cpu) ms of them CPU, holding $(memory) MB"
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.01
    done
    cat "$folder/log" >&2
    exit 1
}

# User and system time so far, ms.
cpu() {
    awk '{ print ($14 + $15) * 10 }' "/proc/$pid/stat"
}

# Resident memory, MB.
memory() {
    awk '/^VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$pid/status"
}

measure() {
    "$TIDEGATE" bench ingest --thingsboard --addr "127.0.0.1:$PORT" --pid "$pid" --children "$CHILDREN" "$@"
    echo "memory: $(memory) MB"
    echo
}

cat >"$folder/tidegate.toml" <<CONFIG
[listen]
mqtt = "127.0.0.1:$PORT"
mqtts = "off"
http = "off"
https = "off"
onenet = "off"
CONFIG
start
"$TIDEGATE" --data "$folder/data" org add abc123 >/dev/null
for n in $(seq 0 $((GATEWAYS - 1))); do
    "$TIDEGATE" --data "$folder/data" device add --org abc123 "default/load$n" --gateway --access-token "load$n" \
        >/dev/null
done

# Starts the server again after a signal.
restart() {
    kill "-$1" "$pid"
    wait "$pid" 2>/dev/null || true
    echo -n "after SIG$1, with $(du -sm "$folder/data" | cut -f1) MB of data: "
    start
    echo
}

echo "## One gateway"
# Registers its children.
measure --connections 1 --per-message 100 --window 10 --messages $((CHILDREN / 50)) >/dev/null
for shape in "1 1000" "100 50" "1000 5"; do
    read -r per_message window <<<"$shape"
    measure --connections 1 --per-message "$per_message" --window "$window" --seconds "$SECONDS_EACH" --rounds "$ROUNDS"
done

echo "## $GATEWAYS gateways: every child for the first time"
measure --connections "$GATEWAYS" --per-message 100 --window 2 --messages $((GATEWAYS * CHILDREN / 100))
restart TERM

echo "## $GATEWAYS gateways, known children"
measure --connections "$GATEWAYS" --per-message 100 --window 4 --seconds "$SECONDS_EACH" --rounds "$ROUNDS"
restart TERM
measure --connections "$GATEWAYS" --per-message 100 --window 4 --seconds "$SECONDS_EACH" --rounds "$ROUNDS"
restart KILL
