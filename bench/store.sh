#!/usr/bin/env bash
# What claim and finish of an event cost in Redis and in store/, at several depths of the pipeline.
#
#   bench/store.sh                      CPU us per event, EVENTS=200000 at DEPTHS="1 16 64"
#   COUNT=instructions bench/store.sh   instructions per event (callgrind), alike on every machine; EVENTS=4000
#   COUNT=memory bench/store.sh         bytes that Redis needs for each remembered event, EVENTS=1000000
#   REDIS=path                          another redis-server; KEEP=directory keeps callgrind's profiles
set -euo pipefail
cd "$(dirname "$0")/.."

count=${COUNT:-cpu}
redis=${REDIS:-redis-server}
entities=${ENTITIES:-2000}
dir=$(mktemp -d)
source bench/lib.sh

prepare() {
  make --no-print-directory build/bench/store build/bench/load | { grep -v 'up to date' || true; }
  port=$(build/bench/load --free-ports 1)
  mkdir "$dir/store"
}

start_redis() { # words before it...
  start "$redis_core" "$dir/redis.log" "$@" "$redis" --bind 127.0.0.1 --port "$port" --save "" --appendonly no \
    --maxmemory-policy noeviction --dir "$dir"
  redis_pid=$started
  wait_for redis-server "$redis_pid" connects "$port"
}

drive() { # words before it... -- arguments of the program
  local before=()
  while [ "$1" != -- ]; do before+=("$1") && shift; done
  shift
  taskset -c "$own_core" "${before[@]}" build/bench/store --port "$port" --directory "$dir/store" \
    --entities "$entities" "$@"
}

cpu() {
  start_redis
  drive -- --events 20000 >/dev/null
  local depth
  for depth in ${DEPTHS:-1 16 64}; do
    drive -- --events "${EVENTS:-200000}" --depth "$depth" --pid "$redis_pid"
  done
}

collected() { awk '/^(totals|summary):/ { n = $2 } END { print n }' "$@"; }

# What comes before the events (greeting, functions, a first look at each entity) is not counted.
instructions() {
  local events=${EVENTS:-4000} depth out=${KEEP:-$dir}
  start_redis valgrind --tool=callgrind --compress-strings=no --callgrind-out-file="$dir/begin"
  drive -- --events "$entities" >/dev/null
  for depth in ${DEPTHS:-1 16 64}; do
    callgrind_control -z "$redis_pid" >/dev/null 2>&1
    drive -- --events "$events" --depth "$depth" >/dev/null
    rm -f "$dir"/begin.*
    callgrind_control -d "$redis_pid" >/dev/null 2>&1
    mv "$dir"/begin.* "$out/redis.$depth"
    drive valgrind -q --tool=callgrind --callgrind-out-file="$out/own.$depth" -- --events "$events" --depth "$depth" >/dev/null
    drive valgrind -q --tool=callgrind --callgrind-out-file="$dir/none" -- --events 0 --depth "$depth" >/dev/null
    awk -v n="$events" -v d="$depth" -v r="$(collected "$out/redis.$depth")" -v o="$(collected "$out/own.$depth")" \
      -v z="$(collected "$dir/none")" 'BEGIN {
      printf "depth=%d redis_instructions=%.0f own_instructions=%.0f\n", d, r / n, (o - z) / n }'
  done
}

used() { redis-cli -p "$port" info memory | tr -d '\r' | sed -n 's/^used_memory://p'; }

memory() {
  local events=${EVENTS:-1000000} before
  start_redis
  drive -- --events "$entities" >/dev/null
  before=$(used)
  drive -- --events "$events" >/dev/null
  awk -v a="$before" -v b="$(used)" -v n="$events" 'BEGIN { printf "events=%d redis_bytes=%.0f\n", n, (b - a) / n }'
  redis-cli -p "$port" --raw eval 'local k = redis.call("RANDOMKEY")
    while not k:find("ev:") do k = redis.call("RANDOMKEY") end
    return {k, redis.call("GET", k), "MEMORY USAGE " .. redis.call("MEMORY", "USAGE", k)}' 0 | tr '\0' '|'
}

redis_core=0 own_core=$(($(nproc) > 1 ? 1 : 0))
case $count in
  cpu | instructions | memory) prepare && "$count" ;;
  *) fail "COUNT is \"$count\"; allowed: cpu, instructions, memory" ;;
esac
