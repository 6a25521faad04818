#!/bin/sh
# Runs the script of this name as the permanent version has it: from the upgrade volume, where one
# is in use, so that `docker exec CONTAINER bin/NAME rpc` and `bin/migrate` mean what is running.

# shellcheck disable=SC1091,SC2154 # volume: from pet/volume
smith_use=$(
  . /app/pet/volume
  if is_ours && now=$(permanent) && [ -x "$volume/bin/${0##*/}" ]; then echo "$now $volume"; fi
)
if [ -z "$smith_use" ]; then
  unset smith_use
  exec "/app/image-bin/${0##*/}" "$@"
fi
# mix's script reads it from start_erl.data, which a crash may have left empty.
export RELEASE_VSN="${RELEASE_VSN:-${smith_use%% *}}"
export ERL_ROOTDIR="${smith_use#* }" RELDIR="${smith_use#* }/releases"
unset smith_use
exec "$ERL_ROOTDIR/bin/${0##*/}" "$@"
