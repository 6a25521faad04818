# Prints what a pet's container and its volume are, a `key=value` a line; nothing is changed.
# $1: this run's name, under which the configurations would lie on tmpfs.
. /app/pet/release
marks=$volume/.imagesmith
say() { echo "$1=$2"; }
say name "$name"
say version "$version"
say erts "$erts"
say digest "$digest"
say volume "$volume"
[ -x "/app/releases/$version/elixir" ] && say tool mix
say belongs "$(cat "$marks/image" 2>/dev/null)"
say permanent "$(cat "$marks/permanent" 2>/dev/null)"
# shellcheck disable=SC2046 # two words
set -- "$1" $(cat "$volume/releases/start_erl.data" 2>/dev/null)
say start "${3:-}"
say owner "$(cat "$marks/lock/owner" 2>/dev/null)"
[ -d "$marks/lock" ] && say locked yes
say events "$({ wc -c <"$marks/history" || echo 0; } 2>/dev/null)"
awk -v place="$volume" '$5 == place { found = 1 } END { exit !found }' /proc/self/mountinfo &&
  say mounted yes
[ -w "$volume/releases" ] && [ -w "$volume/lib" ] && [ -w "$marks" ] && say writable yes
df -Pk "$volume" | awk 'NR == 2 { print "free=" $4; print "size=" $2 }'
say used "$(du -sk "$volume" 2>/dev/null | cut -f1)"
for place in /dev/shm "${RELEASE_TMP:-/tmp}"; do
  if [ -w "$place" ] && awk -v place="$place" \
    '$5 == place { for (i = 1; i < NF; i++) if ($i == "-" && $(i + 1) == "tmpfs") found = 1 }
     END { exit !found }' /proc/self/mountinfo; then
    say tmpfs "$place"
    break
  fi
done
for group in /sys/fs/cgroup /sys/fs/cgroup/memory; do
  for file in memory.max memory.limit_in_bytes; do
    [ -r "$group/$file" ] && say limit "$(cat "$group/$file")"
  done
  for file in memory.current memory.usage_in_bytes; do
    [ -r "$group/$file" ] && say usage "$(cat "$group/$file")"
  done
done
for found in "$volume"/releases/*/; do
  found=${found%/}
  one=${found##*/}
  [ -d "$found" ] || continue
  say "release.$one" "$(cat "$found/digest" 2>/dev/null)"
done
for found in "$marks"/aside-*; do
  [ -d "$found" ] && say aside "$found"
done
exit 0
