#!/bin/sh
# The entrypoint of a pet: starts the release from its upgrade volume, or from the image where there
# is none. Whatever it finds on the volume, a release comes up, and what was done is said.
#
# A volume is a release root of links into the image, and of what upgrades brought:
#
#   lib/APP-VSN -> /app/lib/APP-VSN   erts-VSN -> /app/erts-VSN   bin/
#   releases/{RELEASES,start_erl.data}      OTP's own, which it overwrites in place
#   releases/VSN/{RELEASES,bin/}            what those two are to be when VSN is permanent
#   .imagesmith/image                       the release of the image that the volume belongs to;
#                                           written last, so it says that the volume is whole
#   .imagesmith/permanent                   the version that was confirmed last
#   .imagesmith/aside-*                     upgrades of an earlier image

# shellcheck disable=SC1091,SC2154 # name, version, erts, digest, volume: from the file beside this
set -u
image=/app
. "$image/pet/release"
marks=$volume/.imagesmith

say() { echo "imagesmith: $*" >&2; }

# keep FILE TEXT: whole or not at all.
keep() {
  printf '%s\n' "$2" >"$1.new" && sync && mv -f "$1.new" "$1"
}

is_mounted() {
  awk -v place="$volume" '$5 == place { found = 1 } END { exit !found }' /proc/self/mountinfo
}

is_writable() {
  mkdir -p "$marks" 2>/dev/null && (: >"$marks/.try") 2>/dev/null && rm -f "$marks/.try"
}

is_ours() { [ "$(cat "$marks/image" 2>/dev/null)" = "$digest" ]; }

# has VERSION: is everything there that a start of it needs?
has() {
  [ -f "$volume/releases/$1/RELEASES" ] && [ -d "$volume/releases/$1/bin" ] &&
    [ -f "$volume/releases/$1/$name.rel" ] && [ -x "$volume/erts-$erts/bin/erlexec" ] || return 1
  # The applications of VERSION as its .rel lists them: {NAME,"VERSION"…}.
  tr -d ' \n\t' <"$volume/releases/$1/$name.rel" | tr '{' '\n' |
    sed -n "s/^\\([a-z][a-zA-Z0-9_@]*\\),\"\\([^\"]*\\)\".*/\\1-\\2/p" |
    while read -r application; do
      case $application in "erts-$erts" | "$name-$1") continue ;; esac
      [ -d "$volume/lib/$application/ebin" ] || exit 1
    done
}

# What upgrades brought goes aside, with what was damaged; the latest of it is kept.
set_aside() {
  [ -e "$volume/releases" ] || [ -e "$marks/image" ] || return 0
  rm -rf "$marks"/aside-*
  aside=$marks/aside-$(date -u +%Y%m%dT%H%M%SZ)
  mkdir "$aside" || return 1
  for found in "$volume"/lib "$volume"/bin "$volume"/releases "$volume"/erts-* \
    "$marks/image" "$marks/permanent"; do
    if [ -e "$found" ] || [ -L "$found" ]; then mv "$found" "$aside/" || return 1; fi
  done
}

# A release root of links, beside what is there, then in its place.
make() {
  new=$marks/new-$$
  rm -rf "$marks"/new-*
  (
    set -e
    mkdir -p "$new/lib" "$new/releases"
    for link in "$image"/lib/*; do
      if [ -L "$link" ]; then ln -s "$link" "$new/lib/${link##*/}"; fi
    done
    for found in "$image"/*; do
      case ${found##*/} in lib | bin | image-bin | releases | consolidated | pet) ;;
      *) ln -s "$found" "$new/${found##*/}" ;;
      esac
    done
    cp -R "$image/image-bin" "$new/bin"
    cp "$image/releases/RELEASES" "$image/releases/start_erl.data" "$new/releases/"
    cp -R "$image/releases/$version" "$new/releases/$version"
    cp -R "$image/image-bin" "$new/releases/$version/bin"
    cp "$image/releases/RELEASES" "$new/releases/$version/RELEASES"
    if [ -L "$new/releases/$version/consolidated" ]; then
      # A relative link would lead nowhere, and the VM starts without a word, unconsolidated.
      rm "$new/releases/$version/consolidated"
      ln -s "$image/consolidated" "$new/releases/$version/consolidated"
    fi
    chmod -R u+w "$new/bin" "$new/releases"
    for found in "$new"/*; do
      rm -rf "${volume:?}/${found##*/}"
      mv "$found" "$volume/"
    done
    rmdir "$new"
    keep "$marks/permanent" "$version"
    keep "$marks/image" "$digest"
  ) && return 0
  rm -rf "$new"
  return 1
}

# The version that start_erl.data names, where it names one that can be started.
permanent() {
  # shellcheck disable=SC2046 # two words
  set -- $(cat "$volume/releases/start_erl.data" 2>/dev/null)
  if [ $# -eq 2 ] && [ "$1" = "$erts" ] && has "$2"; then echo "$2"; fi
}

# A volume of this image, as OTP left it: which may be half of what OTP wanted to write.
repair() {
  now=$(permanent)
  if [ -z "$now" ]; then
    now=$(cat "$marks/permanent" 2>/dev/null)
    [ -n "$now" ] && has "$now" || return 1
    say "releases/start_erl.data was damaged; it names $now again, which was confirmed last"
    keep "$volume/releases/start_erl.data" "$erts $now" || return 1
  fi
  # An upgrade that was not confirmed is forgotten too: it can be applied again.
  cmp -s "$volume/releases/$now/RELEASES" "$volume/releases/RELEASES" ||
    { cp "$volume/releases/$now/RELEASES" "$volume/releases/RELEASES.new" && sync &&
      mv -f "$volume/releases/RELEASES.new" "$volume/releases/RELEASES"; } || return 1
  [ "$(cat "$marks/permanent" 2>/dev/null)" = "$now" ] || keep "$marks/permanent" "$now"
  for script in "$volume/releases/$now/bin"/*; do
    cmp -s "$script" "$volume/bin/${script##*/}" ||
      { cp -p "$script" "$volume/bin/.new" && mv -f "$volume/bin/.new" "$volume/bin/${script##*/}"; }
  done
  if [ "$now" != "$version" ]; then
    say "starting $name $now from $volume (the image brings $version)"
  fi
}

# Is there a volume to start from? Says why not.
prepare() {
  if ! is_mounted; then
    say "no volume is mounted at $volume: running $version from the image, not upgradable" \
      "(docker run --mount type=volume,source=NAME,target=$volume)"
    return 1
  fi
  if ! is_writable; then
    if is_ours && [ -n "$(permanent)" ]; then
      say "$volume cannot be written (read-only, full, or owned by another user than" \
        "$(id -u)): running $(permanent) from it, not upgradable"
      return 0
    fi
    say "$volume cannot be written (read-only, full, or owned by another user than $(id -u)):" \
      "running $version from the image, not upgradable"
    return 1
  fi
  rm -rf "$marks"/new-*
  if is_ours; then
    repair && return 0
    say "$volume is damaged beyond repair: what is left of it is kept in $marks/aside-*"
  elif [ -e "$marks/image" ]; then
    say "$volume holds upgrades of another image: they are kept in $marks/aside-*," \
      "and $version starts from this image"
  fi
  set_aside && make && return 0
  say "$volume cannot be made ready (is it full?): running $version from the image, not upgradable"
  return 1
}

on_volume=false
if prepare; then on_volume=true; fi
case ${1:-} in
"$image"/bin/*) script=${1##*/} && shift ;;
bin/*) script=${1##*/} && shift ;;
*) exec "$@" ;;
esac
if $on_volume; then
  export ERL_ROOTDIR="$volume" RELDIR="$volume/releases"
  exec "$volume/bin/$script" "$@"
fi
exec "$image/image-bin/$script" "$@"
