# shellcheck shell=bash
# How .ci/engine takes an engine down, so that nothing of it is left: neither after an orderly
# stop nor after a kill -9 of the daemon. To be sourced by .ci/engine, whose variables it reads.
# shellcheck disable=SC2154

# Takes away all that `up` and the engine made, in whatever state it is: also
# half started, or killed. What one step cannot do must not keep the next from
# its work. To be called under the lock.
down() (
  set +e
  if ! load_state; then
    rm -rf "$home"
    exit 0
  fi
  if ours_answers; then empty_engine; fi
  stop_processes
  leftovers=$(bridges)
  unmount_below "$run"
  unmount_below "$data"
  remove_bridges "$leftovers"
  remove_rules iptables "$leftovers" "$policy4"
  remove_rules ip6tables "$leftovers" "$policy6"
  if ! another_engine; then
    printf '%s\n' "$forward4" >/proc/sys/net/ipv4/ip_forward
    if [ -n "$forward6" ]; then
      printf '%s\n' "$forward6" >/proc/sys/net/ipv6/conf/all/forwarding
    fi
  fi
  remove_groups
  rm -rf "$run" "$home"
  # Made by the daemon wherever its own folders are.
  rmdir /run/docker/* /run/docker 2>/dev/null || true
  say "the engine is down"
)

# Containers are killed at once: the daemon would let each one take its time.
empty_engine() (
  set +e
  use_ours
  timeout 30 docker swarm leave --force
  timeout 60 sh -c 'docker ps -aq | xargs -r docker rm -f'
  timeout 60 sh -c 'docker network ls -q --filter type=custom | xargs -r docker network rm'
) >/dev/null 2>&1

# Every process of ours: the daemon, containerd and the shims have the run folder
# in their command line; containers and builds are in our control group.
processes() {
  local proc
  for proc in /proc/[0-9]*; do
    [ "$proc" = "/proc/$$" ] && continue
    if { tr '\0' ' ' <"$proc/cmdline" | grep -qE -- "-(config-file|config|address) $run/" ||
      grep -qE ":/$bridge(/|\$)" "$proc/cgroup"; } 2>/dev/null; then
      printf '%s\n' "${proc#/proc/}"
    fi
  done
}

stop_processes() {
  local pid try
  pid=$(cat "$run/pid" 2>/dev/null) || pid=
  if is_ours "$pid"; then
    kill -TERM "$pid" 2>/dev/null || true
    for try in $(seq 150); do
      is_ours "$pid" || break
      sleep 0.1
    done
  fi
  # The daemon takes containerd along, unless it was killed; the shims outlive both.
  for try in $(seq 100); do
    local left
    left=$(processes)
    if [ -z "$left" ]; then return 0; fi
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL $left 2>/dev/null || true
    sleep 0.1
  done
  say "some processes would not end: $left (try $try)"
}

# Our own bridge, and those of user networks as the daemon's database has them.
bridges() {
  printf '%s\n' "$bridge"
  grep -aohE '"BridgeName":"[^"]+"' "$data"/network/files/local-kv.db 2>/dev/null |
    cut -d '"' -f 4 | sort -u | grep -vx "$bridge" || true
}

remove_bridges() {
  local name
  for name in $1; do
    ip link delete "$name" 2>/dev/null || true
  done
}

# Deepest first. The kernel writes a space as \040.
unmount_below() {
  local point
  awk '{ print $5 }' /proc/self/mountinfo | sort -r | while read -r point; do
    point=$(printf '%b' "$point")
    case $point in
    "$1" | "$1"/*) umount "$point" 2>/dev/null || umount -l "$point" || true ;;
    esac
  done
}

# Zombies do not count: where nobody reaps them, our own daemon stays as one.
another_engine() {
  cat /proc/[0-9]*/stat 2>/dev/null | grep -q '(dockerd) [^ZX]'
}

# remove_rules iptables|ip6tables BRIDGES POLICY
remove_rules() {
  local tables=$1 names=$2 policy=$3 table rule chain all=0
  command -v "$tables" >/dev/null || return 0
  # The chains are common to all engines of a machine.
  if [ "$chains" = absent ] && ! another_engine; then all=1; fi
  for table in raw mangle nat filter; do
    "$tables" -t "$table" -S 2>/dev/null | rules_of_ours "$names" "$all" |
      while read -r rule; do
        # shellcheck disable=SC2086 # a rule is many words; ours quote nothing
        "$tables" -t "$table" -D ${rule#-A } || true
      done || true
    if [ "$all" = 0 ]; then continue; fi
    "$tables" -t "$table" -S 2>/dev/null | awk '$1 == "-N" && $2 ~ /^DOCKER/ { print $2 }' |
      while read -r chain; do
        "$tables" -t "$table" -F "$chain"
        "$tables" -t "$table" -X "$chain"
      done || true
  done
  if [ "$all" = 1 ] && [ -n "$policy" ]; then "$tables" -P FORWARD "$policy" || true; fi
}

# Those of our bridges. If no other engine is about, also those of Docker's
# chains, and two that a killed daemon leaves behind for each published port: for
# a container that reaches itself by it, and to keep others off one on localhost.
rules_of_ours() {
  awk -v names="$1" -v all="$2" '
    BEGIN { n = split(names, list); for (i = 1; i <= n; i++) ours[list[i]] = 1 }
    $1 != "-A" { next }
    all && /DOCKER/ { print; next }
    all && $3 == "-s" && $5 == "-d" && $4 == $6 && /-j MASQUERADE/ { print; next }
    all && / -d (127\.0\.0\.1\/32|::1\/128) ! -i lo .*-j DROP/ { print; next }
    { for (i = 3; i < NF; i++) if ($i ~ /^-[io]$/ && $(i + 1) in ours) { print; next } }
  '
}

# Control groups, in each hierarchy, deepest first.
remove_groups() {
  local top
  for top in /sys/fs/cgroup/"$bridge" /sys/fs/cgroup/*/"$bridge"; do
    [ -d "$top" ] || continue
    find "$top" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
