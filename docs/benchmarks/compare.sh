#!/usr/bin/env bash
# Measures Tidegate beside other MQTT servers, all workloads in one run, and prints the tables of `tidegate bench`.
#
#   TIDEGATE=target/release/tidegate FLASHMQ=path/to/flashmq MOSQUITTO=mosquitto RUMQTTD=path/to/rumqttd \
#     docs/benchmarks/compare.sh [workload with its options ...]
#
# A server without a path is left out. Everything listens on loopback; folders and processes are gone afterwards.
set -euo pipefail

TIDEGATE=${TIDEGATE:-target/release/tidegate}
ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-2}
folder=$(mktemp -d)
pids=()

finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$folder"
}
trap finish EXIT

# Waits until a port is open.
await() {
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    echo "nobody listens on port $1; see $folder" >&2
    exit 1
}

"$TIDEGATE" --data "$folder/data" org add abc123 --json >/dev/null
cat >"$folder/tidegate.toml" <<CONFIG
[listen]
mqtt = "127.0.0.1:18830"
mqtts = "off"
http = "off"
https = "off"
onenet = "off"
[log]
level = "warn"
[plain]
anonymous = "loopback"
CONFIG
"$TIDEGATE" --data "$folder/data" --config "$folder/tidegate.toml" serve >"$folder/tidegate.log" 2>&1 &
pids+=($!)
ours=$!
await 18830
others=()

if [[ -n ${FLASHMQ:-} ]]; then
    cat >"$folder/flashmq.conf" <<CONFIG
thread_count $(nproc)
allow_anonymous true
zero_byte_username_is_anonymous true
max_qos_msg_pending_per_client 10000
max_qos_bytes_pending_per_client 10000000
rlimit_nofile $(ulimit -Hn)
log_level warning
log_file $folder/flashmq.log
listen {
  protocol mqtt
  port 18831
  inet_protocol ip4
  tcp_nodelay true
}
CONFIG
    "$FLASHMQ" -c "$folder/flashmq.conf" >"$folder/flashmq.out" 2>&1 &
    pids+=($!)
    others+=(--vs "flashmq=127.0.0.1:18831,$!")
    await 18831
fi

if [[ -n ${MOSQUITTO:-} ]]; then
    cat >"$folder/mosquitto.conf" <<CONFIG
listener 18832 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
CONFIG
    "$MOSQUITTO" -c "$folder/mosquitto.conf" >"$folder/mosquitto.log" 2>&1 &
    pids+=($!)
    others+=(--vs "mosquitto=127.0.0.1:18832,$!")
    await 18832
fi

if [[ -n ${RUMQTTD:-} ]]; then
    cat >"$folder/rumqttd.toml" <<CONFIG
id = 0
[router]
id = 0
max_connections = 20010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 2
[v4.1]
name = "v4-1"
listen = "127.0.0.1:18833"
next_connection_delay_ms = 1
    [v4.1.connections]
    connection_timeout_ms = 60000
    max_payload_size = 20480
    max_inflight_count = 200
    dynamic_filters = true
[console]
listen = "127.0.0.1:18834"
CONFIG
    "$RUMQTTD" -q -c "$folder/rumqttd.toml" >"$folder/rumqttd.log" 2>&1 &
    pids+=($!)
    others+=(--vs "rumqttd=127.0.0.1:18833,$!")
    await 18833
fi

workloads=("$@")
if [[ ${#workloads[@]} -eq 0 ]]; then
    workloads=("pair" "fan-in" "fan-out" "pair --qos 1" "ingest" "open --rate 10000" "sparse --connections 3000"
        "storm --connections 5000" "idle --connections 4000")
fi
for workload in "${workloads[@]}"; do
    # The options of a workload are words of their own.
    # shellcheck disable=SC2086
    "$TIDEGATE" bench $workload --addr 127.0.0.1:18830 --pid "$ours" "${others[@]}" \
        --seconds "$SECONDS_EACH" --rounds "$ROUNDS" || echo "$workload: not measured"
    echo
done
