# Processes, waiting, reading: what bench/run and bench/journal.sh share. Sourced; needs $dir.
# shellcheck shell=bash

fail() { echo "bench: $*" >&2; exit 1; }

# ---- processes: started here, ended here by their pid ----

declare -A running=() # by pid

stop() { # pid...
  local pid
  for pid in "$@"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    unset "running[$pid]"
  done
}

clean_up() {
  stop "${!running[@]}"
  rm -rf "$dir" ${disk:+"$disk"}
}
trap clean_up EXIT
trap 'exit 130' INT TERM

start() { # cores, log, command...; the pid is in $started
  local core=$1 log=$2
  shift 2
  taskset -c "$core" "$@" >"$log" 2>&1 &
  started=$!
  running[$started]=1
}

only_child() { # of a process that forks one worker
  local child=""
  for _ in $(seq 100); do
    read -r child _ <"/proc/$1/task/$1/children" || true
    [ -z "$child" ] || break
    sleep 0.05
  done
  echo "$child"
}

# ---- waiting until a server serves ----

wait_for() { # what, pid, test...
  local what=$1 pid=$2
  shift 2
  for _ in $(seq 200); do
    if "$@" 2>/dev/null; then return; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  tail -n 20 "$dir"/*.log >&2 || true
  fail "$what did not come up"
}

connects() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

get() { # port, path: the whole answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$2" "$1" >&3
  cat <&3
  exec 3<&-
}

answers_200() { # port, path
  local version status
  read -r version status _ <<<"$(get "$@" | head -n 1)" || true
  [ "${version%/*} ${status:-}" = "HTTP 200" ]
}

# ---- reading ----

value() { tr ' ' '\n' <"$dir/line" | sed -n "s/^$1=//p"; } # of the load generator's line

metric() { # name with labels
  get "$admin" /metrics | awk -v name="$1" '$1 == name { printf "%d\n", $2; found = 1 } END { exit !found }' ||
    fail "the metrics page has no $1"
}
