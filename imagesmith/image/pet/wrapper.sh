#!/bin/sh
# Runs the script of this name as the running version has it: from the upgrade volume, where there
# is one, so that `docker exec CONTAINER bin/NAME rpc` and `bin/migrate` mean what is running.

# shellcheck disable=SC1091,SC2154 # digest, volume
. /app/pet/release
if [ "$(cat "$volume/.imagesmith/image" 2>/dev/null)" = "$digest" ] &&
  [ -x "$volume/bin/${0##*/}" ]; then
  export ERL_ROOTDIR="$volume" RELDIR="$volume/releases"
  exec "$volume/bin/${0##*/}" "$@"
fi
exec "/app/image-bin/${0##*/}" "$@"
