#!/bin/sh
# The entrypoint of a pet: makes or repairs the upgrade volume, and starts what it was told to.
# Whatever it finds there, a release comes up (the wrappers of bin/ run the volume's, or else the
# image's), and what was done is said. It may be killed at any point: the next start goes on.
#
# A volume is a release root of links into the image, and of what upgrades brought:
#
#   lib/APP-VSN -> /app/lib/APP-VSN   erts-VSN -> /app/erts-VSN   bin/
#   releases/{RELEASES,start_erl.data}      OTP's own, which it overwrites in place
#   releases/VSN/{RELEASES,bin/}            what those two are to be when VSN is permanent
#   releases/VSN/digest                     the release digest of VSN
#   .imagesmith/image                       the release digest of the image that the volume belongs
#                                           to; written last, so it says that the volume is whole
#   .imagesmith/permanent                   the version that was confirmed last
#   .imagesmith/history                     what was done, a JSON object a line
#   .imagesmith/new-*                       what is being brought or made
#   .imagesmith/aside-*                     upgrades of an earlier image; `aside` while they go there

# shellcheck disable=SC1091,SC2154 # name, version, erts, digest, volume, marks: from volume.sh
set -u

say() { echo "imagesmith: $*" >&2; }

# keep FILE TEXT: whole or not at all.
keep() { printf '%s\n' "$2" >"$1.new" && put "$1"; }

# put FILE: FILE.new takes its place.
put() { flush "$1.new" && mv -f "$1.new" "$1"; }

# flush FILE, or flush -f FOLDER for all of its file system: onto the disk.
flush() { sync "$@" 2>/dev/null || sync; }

same() { [ -f "$2" ] && [ "$(cat "$1")" = "$(cat "$2")" ]; }

# Is it an Erlang term to its end?
is_whole() { case $(cat "$1" 2>/dev/null) in *].) ;; *) return 1 ;; esac }

# record ACTION FROM TO DETAIL: a line of the history.
record() {
  printf '{"time": "%s", "who": "the entrypoint", "action": "%s", "from": "%s", "to": "%s", %s}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2" "$3" "\"result\": \"done\", \"detail\": \"$4\"" \
    2>/dev/null >>"$marks/history"
}

# The options of the volume's mount and of its file system, as ",rw,noexec,"; nothing without one.
mounted() {
  awk -v place="$volume" '$5 == place { found = "," $6 "," $NF "," } END { print found }' \
    /proc/self/mountinfo
}

# Can it be written and run from? A full volume takes an empty file, but no byte.
is_usable() {
  for found in "$volume/lib" "$volume/releases" "$volume/releases/RELEASES" \
    "$volume/releases/start_erl.data"; do
    [ ! -e "$found" ] || [ -w "$found" ] || return 1
  done
  {
    mkdir -p "$marks" && printf '#!/bin/sh\n' >"$marks/.try" && chmod +x "$marks/.try" &&
      "$marks/.try" && rm -f "$marks/.try"
  } 2>/dev/null
}

# Why not? In words that follow the volume's path.
why() {
  case $(mounted) in
    *,ro,*) echo "is mounted read-only" && return ;;
    *,noexec,*) echo "is mounted noexec, and a release has scripts" && return ;;
  esac
  # shellcheck disable=SC2046 # words: mode, links, owner…
  if [ -w "$volume" ]; then
    echo "is full, or holds what another user than $(id -u) wrote"
  else
    set -- $(ls -dn "$volume")
    echo "belongs to user $3, and this is user $(id -u)"
  fi
}

# Is it somebody's folder that has nothing to do with us?
is_foreign() {
  [ ! -e "$marks" ] && [ ! -e "$volume/releases/start_erl.data" ] || return 1
  for found in "$volume/lib" "$volume/bin" "$volume/releases"; do
    [ ! -e "$found" ] || return 0
  done
  return 1
}

# A volume that lost our own folder belongs to this image if the image's version is on it.
adopt() {
  [ ! -e "$marks/image" ] &&
    [ "$(cat "$volume/releases/$version/digest" 2>/dev/null)" = "$digest" ] || return 1
  link && permanent >/dev/null && keep "$marks/image" "$digest"
}

# Did an upgrade bring anything?
has_upgrades() {
  for found in "$volume"/lib/*; do
    [ ! -d "$found" ] || [ -L "$found" ] || return 0
  done
  return 1
}

# What upgrades brought goes aside, in the place of what went there before; links are worth nothing.
# lib/ goes last: as long as it is there, this has not been done.
set_aside() {
  if has_upgrades; then
    mkdir -p "$marks/aside" || return 1
    for found in "$marks/image" "$marks/permanent" "$volume/bin" "$volume/releases" \
      "$volume/lib"; do
      [ ! -e "$found" ] || mv "$found" "$marks/aside/" || return 1
    done
  fi
  if [ -e "$marks/aside/lib" ]; then
    rm -rf "$marks"/aside-*
    aside=$marks/aside-$(date -u +%Y%m%dT%H%M%SZ)
    mv "$marks/aside" "$aside" || return 1
    from=$(cat "$aside/permanent" 2>/dev/null)
    record "set aside" "$from" "$version" "$aside"
    say "the upgrades on $volume (${from:-an unknown version}) are kept in $aside"
  fi
  rm -rf "$marks/image" "$marks/permanent" "$volume/releases" "${volume:?}/lib" "${volume:?}/bin"
  for found in "$volume"/* "$volume"/.[!.]*; do
    if [ -L "$found" ]; then rm -f "$found"; fi
  done
}

# A release root of links, beside what is there, then in its place.
make() {
  new=$marks/new-$$
  (
    set -e
    mkdir -p "$new/lib" "$new/releases"
    cp -RP "$image/image-bin" "$new/bin"
    cp -RP "$image/releases/$version" "$new/releases/"
    cp -RP "$image/image-bin" "$new/releases/$version/bin"
    cp "$image/releases/RELEASES" "$new/releases/$version/"
    cp "$image/releases/RELEASES" "$image/releases/start_erl.data" "$new/releases/"
    echo "$digest" >"$new/releases/$version/digest"
    if [ -L "$new/releases/$version/consolidated" ]; then
      # A relative link would lead nowhere, and the VM starts without a word, unconsolidated.
      ln -sfn "$image/consolidated" "$new/releases/$version/consolidated"
    fi
    for found in "$new"/*; do mv "$found" "$volume/"; done
    rmdir "$new"
    link
    flush -f "$volume"
    keep "$marks/permanent" "$version"
    keep "$marks/image" "$digest"
  ) && return 0
  rm -rf "$new"
  return 1
}

# What is the image's, where the volume has nothing of that name.
link() {
  for found in "$image"/* "$image"/.[!.]* "$image"/lib/*; do
    to=$volume/${found#"$image/"}
    case $found in
      "$image"/bin | "$image"/image-bin | "$image"/lib | "$image"/releases) continue ;;
      "$image"/consolidated | "$image"/pet) continue ;;
      "$image"/lib/*) [ -L "$found" ] || continue ;;
    esac
    if [ -e "$found" ] && [ ! -e "$to" ]; then ln -sf "$found" "$to"; fi
  done
}

# A volume of this image as OTP and upgrades left it: which may be half of what they wanted to write.
# Fails if nothing can be started from it.
repair() {
  link
  mkdir -p "$volume/bin"
  for found in "$volume"/releases/*/sys.config; do
    # The resolved one was on tmpfs, and is gone with the container that an upgrade ended in.
    [ -L "$found" ] || continue
    if [ -f "$found.pristine" ]; then
      cp "$found.pristine" "$found.new" && put "$found"
    else
      rm -f "$found"
    fi
  done
  now=$(permanent) || return 1
  at=$volume/releases/$now
  if [ "$(named)" != "$now" ]; then
    say "$volume/releases/start_erl.data was damaged: it names $now again, which was confirmed last"
    keep "$volume/releases/start_erl.data" "$erts $now"
    record repair "" "$now" "start_erl.data was damaged"
  fi
  if [ ! -f "$at/RELEASES" ] || ! is_whole "$at/RELEASES"; then
    if ! is_whole "$volume/releases/RELEASES"; then
      say "$volume/releases/RELEASES was damaged, and says again what $at/$name.rel does"
      record repair "" "$now" "RELEASES was damaged"
      releases "$now" >"$volume/releases/RELEASES.new" && put "$volume/releases/RELEASES"
    fi
    cp "$volume/releases/RELEASES" "$at/RELEASES.new" && put "$at/RELEASES"
  fi
  # An upgrade that was not confirmed is forgotten: it can be applied again.
  same "$at/RELEASES" "$volume/releases/RELEASES" ||
    { cp "$at/RELEASES" "$volume/releases/RELEASES.new" && put "$volume/releases/RELEASES"; }
  [ "$(cat "$marks/permanent" 2>/dev/null)" = "$now" ] || keep "$marks/permanent" "$now"
  for script in "$at"/bin/*; do
    same "$script" "$volume/bin/${script##*/}" ||
      { cp -p "$script" "$volume/bin/.new" && mv -f "$volume/bin/.new" "$volume/bin/${script##*/}"; }
  done
  [ "$now" = "$version" ] || say "starting $name $now from $volume (the image brings $version)"
}

# releases VERSION: RELEASES with that version alone, as image/pet/releases.py writes it.
releases() {
  printf '[{release,"%s","%s","%s",[' "$name" "$1" "$erts"
  applications "$1" | sed 's/^\([^-]*\)-\(.*\)$/,{\1,"\2",".\/lib\/\1-\2"}/; 1s/,//'
  echo '],permanent}].'
}

# Makes the volume ready for the wrappers to start from, where that can be.
prepare() {
  . /app/pet/volume
  if [ -z "$(mounted)" ]; then
    say "no volume is mounted at $volume: running $version from the image, not upgradable" \
      "(docker run --mount type=volume,source=NAME,target=$volume)"
    return
  fi
  if is_foreign; then
    say "$volume is no upgrade volume, and holds what is not ours: running $version from the image," \
      "not upgradable"
    return
  fi
  # First, since what a killed upgrade has left there may be what fills the volume.
  rm -rf "$marks"/new-* 2>/dev/null
  # A lock whose owner had no time to say who it is: nobody could be asked whether it is left.
  [ -s "$marks/lock/owner" ] || rm -rf "$marks/lock" 2>/dev/null
  if ! is_usable; then
    if is_ours && now=$(permanent) && [ -x "$volume/bin/$name" ]; then
      say "$volume $(why): running $now from it, not upgradable"
    else
      say "$volume $(why): running $version from the image, not upgradable"
    fi
    return
  fi
  if is_ours || adopt; then
    repair && return
    say "$volume is damaged beyond repair: $version starts from this image"
  elif [ -e "$marks/image" ]; then
    say "$volume belongs to another image: $version starts from this one"
  fi
  if ! set_aside || ! make; then
    say "$volume cannot be made ready (is it full?): running $version from the image," \
      "not upgradable"
  fi
}

(prepare)
if [ $# -eq 0 ]; then
  say "there is no command to run, such as /app/bin/NAME start"
  exit 2
fi
exec "$@"
