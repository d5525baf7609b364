# The journal measured: events that are answered from the disk, and a backlog that is drained. Sourced by bench/run.
# shellcheck shell=bash

all_cores=0-$(($(nproc) - 1))
live_rate=500
if [ -n "${QUICK:-}" ]; then backlog=${BACKLOG:-10000} journal_seconds=2; else backlog=${BACKLOG:-100000} journal_seconds=${DURATION:-6}; fi

# ---- one instance, with its backend, and its directory on the disk of the checkout ----

begin() { # store, keep
  rm -rf "${disk:?}/var"
  mkdir "$disk/var"
  sed -e "s|@DISK@|$disk|; s|@SECRET@|$secret|; s|@LEGACY@|$legacy|; s|@NEW@|$new|; s|@POINTSMAN@|$pointsman|" \
    -e "s|@ADMIN@|$admin|; s|@REDIS@|$redis|; s|@STORE@|$1|; s|@KEEP@|$2|" bench/journal.yaml >"$dir/journal.yaml"
  if [ "$1" = redis ]; then
    start_redis "$all_cores"
  else
    sed -i '/^  redis:/d' "$dir/journal.yaml"
  fi
  build/pointsman check -c "$dir/journal.yaml" >"$dir/check.log" 2>&1 || fail "$(cat "$dir/check.log")"
  start_backend
  start "$all_cores" /dev/null build/pointsman serve -c "$dir/journal.yaml"
  instance=$started
  wait_for pointsman "$instance" answers_200 "$admin" /readyz
  # A store that was never seen before grants its first claim only after a while: events wait on disk till then.
  post --rate "$live_rate" --warm-up 2500 --seconds 1
  wait_drained
}

start_backend() {
  start "$all_cores" "$dir/backend.log" build/bench/backend "$legacy"
  backend=$started
  wait_for "the backend" "$backend" connects "$legacy"
}

end() { stop "${!running[@]}"; }

post() { # arguments of the load generator, whose line is in $dir/line
  taskset -c "$all_cores" "$load" --port "$pointsman" --template bench/issue.json --secret "$secret" "$@" >"$dir/line" ||
    fail "not every answer was a 2xx: $(cat "$dir/line")"
}

rows() { metric "pointsman_queue_events{state=\"$1\"}"; }
pending() { echo $(($(rows queued) + $(rows sending))); }
breaker_closed() { [ "$(metric 'pointsman_breaker_state{backend="legacy",state="closed"}')" = 1 ]; }
memory_mb() { awk -v name="$1:" '$1 == name { printf "%.0f\n", $2 / 1024 }' "/proc/$instance/status"; }
file_mb() { du -cm "$disk"/var/journal.db* | awk 'END { print $1 }'; }
written_bytes() { sed -n 's/^write_bytes: //p' "/proc/$instance/io"; }
ratio() { awk -v a="$1" -v b="$2" -v digits="$3" 'BEGIN { printf "%.*f\n", digits, b ? a / b : 0 }'; }
ms() { ratio "$(value "$1")" 1000 2; }

wait_drained() {
  local left
  for _ in $(seq 3000); do
    left=$(pending)
    [ "$left" != 0 ] || return 0
    sleep 0.1
  done
  fail "$left events are still on disk"
}

# $1: run, $2: events it was to bring to the backend. Each is there, once. Sets delivered_us: first to last.
check_delivered() {
  local name requests distinct
  read -r name requests distinct delivered_us <<<"$(get "$legacy" / | grep "^$1 ")" || true
  [ "$name $requests $distinct" = "$1 $2 $2" ] ||
    fail "of $2 events the backend got ${distinct:-0}, in ${requests:-0} requests: lost or doubled"
}

# ---- durable accept ----

durable() {
  local row='%-9s %11s %11s %8s %8s %12s %12s %14s %12s\n' store connections separator='' cpu
  echo
  # shellcheck disable=SC2059
  printf "$row" "durable" connections "accepted/s" "p50 ms" "p99 ms" "delivered/s" "CPU us/event" "commits/event" "KiB written"
  printf ',\n "durable": [' >>"$dir/journal.json"
  for store in embedded redis; do
    for connections in 64 256; do
      begin "$store" 14d
      local commits written rate
      commits=$(metric pointsman_journal_commits_total) written=$(written_bytes)
      post --path /webhooks/accepted --connections "$connections" --warm-up 500 --seconds "$journal_seconds" \
        --cpu "proxy=$instance"
      wait_drained
      check_delivered "$(value run)" "$(value all_requests)"
      rate=$(ratio "$(value requests)" "$(value seconds)" 0) cpu=$(ratio "$(value proxy_us)" "$(value requests)" 1)
      commits=$(ratio $(($(metric pointsman_journal_commits_total) - commits)) "$(value all_requests)" 3)
      written=$(ratio $((($(written_bytes) - written) / 1024)) "$(value all_requests)" 1)
      local delivered
      delivered=$(ratio "$(value all_requests)" "$(ratio "$delivered_us" 1000000 3)" 0)
      # shellcheck disable=SC2059
      printf "$row" "$store" "$connections" "$rate" "$(ms p50_us)" "$(ms p99_us)" "$delivered" "$cpu" "$commits" "$written"
      printf '%s\n  {"store": "%s", "connections": %s, "accepted_s": %s, "p50_ms": %s, "p99_ms": %s, "delivered_s": %s, "cpu_us": %s, "commits": %s, "written_kib": %s}' \
        "$separator" "$store" "$connections" "$rate" "$(ms p50_us)" "$(ms p99_us)" "$delivered" "$cpu" "$commits" \
        "$written" >>"$dir/journal.json"
      separator=,
      end
    done
  done
  printf ']' >>"$dir/journal.json"
}

# ---- drain ----

# Live traffic goes on until the backlog has come down to 1 %: the last ones may stand on the ladder, as probes.
drain_with_live() {
  local size from left
  taskset -c "$all_cores" "$load" --port "$pointsman" --template bench/issue.json --secret "$secret" --rate "$live_rate" \
    --warm-up 600000 --seconds 600 --cpu "proxy=$instance" >"$dir/line" &
  local live=$!
  running["$live"]=1
  wait_for "the breaker of legacy" "$instance" breaker_closed
  kill -USR1 "$live"
  from=$(date +%s%N) left=$(pending) drained_from=$left
  while [ "$left" -gt $((backlog / 100)) ]; do
    sleep 0.2
    left=$(pending) size=$(file_mb)
    [ "$size" -le "$file_peak" ] || file_peak=$size
    [ "$(($(date +%s%N) - from))" -lt 500000000000 ] || fail "$left events are still on disk"
  done
  drain_s=$(ratio $(($(date +%s%N) - from)) 1000000000 2)
  drain_rate=$(ratio $((drained_from - left)) "$drain_s" 0)
  kill -TERM "$live"
  wait "$live" || fail "not every answer was a 2xx: $(cat "$dir/line")"
  unset "running[$live]"
}

drain_once() { # keep
  local before during fill_rate run memory_before memory_peak file_before
  begin embedded "$1"
  post --rate "$live_rate" --warm-up 1000 --seconds "$journal_seconds"
  before="$(ms p50_us) $(ms p99_us)"
  check_delivered "$(value run)" "$(value all_requests)"
  stop "$backend"
  post --path /webhooks/accepted --count "$backlog" --seconds 500
  run=$(value run) fill_rate=$(ratio "$backlog" "$(value seconds)" 0)
  memory_before=$(memory_mb VmRSS) file_before=$(file_mb) file_peak=$file_before
  start_backend
  drain_with_live
  during="$(ms p50_us) $(ms p99_us)"
  wait_drained
  check_delivered "$run" "$backlog"
  check_delivered "$(value run)" "$(value all_requests)"
  memory_peak=$(memory_mb VmHWM)
  local queued file_after=0 cpu
  queued=$(value queued) cpu=$(ratio "$(value proxy_us)" "$((drained_from + $(value requests)))" 1)
  for _ in $(seq 30); do # the file shrinks once nothing is written any more
    [ "$file_after" != "$(file_mb)" ] || break
    file_after=$(file_mb)
    sleep 3
  done
  echo "$1 $fill_rate $drain_rate $before $during $queued $memory_before $memory_peak $(memory_mb VmRSS) $file_before $file_peak $file_after $cpu" >"$dir/drained"
  end
}

drain() {
  local keep separator=''
  printf ',\n "backlog": %s, "live_s": %s, "drain": [' "$backlog" "$live_rate" >>"$dir/journal.json"
  for keep in 14d 0s; do
    drain_once "$keep"
    awk -v n="$backlog" -v live="$live_rate" '{
      printf "\ndrain: %d events, accepted at %d/s while legacy was down; done events are kept for %s\n", n, $2, $1
      printf "  drained beside %d live events/s: %d/s; %.1f us of CPU per event; each delivered once\n", live, $3, $15
      printf "  live: p50 %.2f ms, p99 %.2f ms before; p50 %.2f ms, p99 %.2f ms during; %d answered 202\n", $4, $5, $6, $7, $8
      printf "  memory: %d MB before, %d MB at most, %d MB after\n", $9, $10, $11
      printf "  journal: %d MB before, %d MB at most, %d MB after\n", $12, $13, $14 }' "$dir/drained"
    awk -v separator="$separator" '{
      printf "%s\n  {\"keep\": \"%s\", \"accepted_s\": %s, \"drained_s\": %s, \"live_before_ms\": {\"p50\": %s, \"p99\": %s}, \"live_during_ms\": {\"p50\": %s, \"p99\": %s}, \"live_queued\": %s, \"memory_mb\": [%s, %s, %s], \"journal_mb\": [%s, %s, %s], \"cpu_us\": %s}", \
        separator, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15 }' "$dir/drained" >>"$dir/journal.json"
    separator=,
  done
  printf ']' >>"$dir/journal.json"
}

measure_journal() {
  local part speed
  mkdir -p build/bench
  disk=$(mktemp -d "$PWD/build/bench/disk.XXXXXX")
  speed=$(build/bench/disk "$disk" 2)
  echo
  echo "disk: $(stat -f -c %T "$disk"), $(sed 's/syncs_4k=\([0-9]*\) syncs_1m=\([0-9]*\) mb_s=\([0-9]*\)/\1 writes of 4 KiB with fdatasync a second, \2 of 1 MiB (\3 MB\/s)/' <<<"$speed"); load average $(cut -d ' ' -f 1 /proc/loadavg)"
  printf ',\n "disk": {%s}' "$(sed 's/\([a-z0-9_]*\)=\([0-9]*\)/"\1": \2,/g; s/,$//' <<<"$speed")" >>"$dir/journal.json"
  for part in $journals; do "$part"; done
}
