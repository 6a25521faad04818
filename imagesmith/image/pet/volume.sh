# What the entrypoint and the wrappers of bin/ both ask of a pet's volume. It is read in a subshell:
# an application may have variables of these names in its environment, and they must reach it.

# shellcheck shell=sh disable=SC1091,SC2154 # name, version, erts, digest, volume: of the image
image=/app
. "$image/pet/release"
marks=$volume/.imagesmith

# Was it made for this release? An image with another one sets aside what it finds.
is_ours() { [ "$(cat "$marks/image" 2>/dev/null)" = "$digest" ]; }

# applications VERSION: NAME-VERSION of each, as the .rel lists them: {NAME,"VERSION"…}.
applications() {
  tr -d ' \n\t' <"$volume/releases/$1/$name.rel" | tr '{' '\n' |
    sed -n "s/^\\([a-z][a-zA-Z0-9_@]*\\),\"\\([^\"]*\\)\".*/\\1-\\2/p" | grep -vFx "erts-$erts"
}

# has VERSION: is all there that a start of it needs?
has() {
  at=$volume/releases/$1
  [ -n "$1" ] && [ -f "$at/$name.rel" ] && [ -f "$at/start.boot" ] && [ -x "$at/bin/$name" ] &&
    [ -x "$volume/erts-$erts/bin/erlexec" ] || return 1
  # Without this folder a VM starts as well, and its protocols are not consolidated.
  if [ ! -d "$at/consolidated" ]; then
    [ "$1" != "$version" ] || [ ! -d "$image/consolidated" ] || return 1
    ! grep -qsF "/$1/consolidated" "$at/relup" || return 1
  fi
  applications "$1" | while read -r application; do
    [ -d "$volume/lib/$application/ebin" ] || exit 1
  done
}

# The version that OTP's start_erl.data names: "ERTS VERSION".
named() {
  vm='' now=''
  { read -r vm now _ <"$volume/releases/start_erl.data" || [ -n "$now" ]; } 2>/dev/null &&
    [ "$vm" = "$erts" ] && echo "$now"
}

# The version to start: what OTP says, or where that cannot be, what was confirmed last.
permanent() {
  for now in "$(named)" "$(cat "$marks/permanent" 2>/dev/null)"; do
    if has "$now"; then echo "$now" && return; fi
  done
  return 1
}
