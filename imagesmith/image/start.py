"""What an image adds to the release's own start: a few lines of shell in `env.sh`.

mix's start script reads `releases/VSN/env.sh` before everything else and for every command
(start, eval, rpc, remote), so it is the one place that `docker run`, `docker exec` and a
Kubernetes Job all pass: an entrypoint would not see the second, and the third replaces it.
"""

from __future__ import annotations

__all__ = ["MAX_FILES", "with_prelude"]

MAX_FILES = 1_048_576
"""Docker's old default. The VM makes tables by the limit: hosts with 2^30 would pay gigabytes."""

PRELUDE = f"""\
# --- by imagesmith -----------------------------------------------------------------------------
# The cookie is a secret and not in the image: RELEASE_COOKIE gives it, or a secret file, or this
# container makes its own, which is enough for rpc, remote and eval in it.
if [ -z "${{RELEASE_COOKIE:-}}" ]; then
  smith_secret="${{RELEASE_COOKIE_FILE:-/run/secrets/release_cookie}}"
  smith_own="${{RELEASE_TMP:-/tmp}}/.release_cookie"
  if [ -n "${{RELEASE_COOKIE_FILE:-}}" ] || [ -e "$smith_secret" ]; then
    RELEASE_COOKIE="$(tr -d '\\r\\n' < "$smith_secret")" || {{
      echo "ERROR: the cookie cannot be read from $smith_secret" >&2
      exit 1
    }}
    if [ -z "$RELEASE_COOKIE" ]; then
      echo "ERROR: there is no cookie in $smith_secret: it is empty" >&2
      exit 1
    fi
  else
    if [ ! -s "$smith_own" ]; then
      (
        umask 077
        {{ od -An -v -tx1 -N32 /dev/urandom | tr -d ' \\n' > "$smith_own.$$"; }} 2>/dev/null &&
          [ -s "$smith_own.$$" ] && ln "$smith_own.$$" "$smith_own" 2>/dev/null
        rm -f "$smith_own.$$"
        [ -s "$smith_own" ]
      ) || {{
        echo "ERROR: no cookie can be made in ${{RELEASE_TMP:-/tmp}}: make it writable" \\
          "(--tmpfs /tmp), or set RELEASE_COOKIE or RELEASE_COOKIE_FILE" >&2
        exit 1
      }}
    fi
    RELEASE_COOKIE="$(cat "$smith_own")" || {{
      echo "ERROR: the cookie cannot be read from $smith_own: another user made it" >&2
      exit 1
    }}
  fi
  export RELEASE_COOKIE
  unset smith_secret smith_own
fi
# The VM makes its tables by this limit, which some hosts set to a billion.
if [ "$(ulimit -n)" = unlimited ] || [ "$(ulimit -n)" -gt {MAX_FILES} ]; then
  ulimit -n {MAX_FILES}
fi
# A crash dump on tmpfs counts as memory; ERL_CRASH_DUMP=PATH asks for one.
if [ -z "${{ERL_CRASH_DUMP:-}}" ]; then
  export ERL_CRASH_DUMP_BYTES="${{ERL_CRASH_DUMP_BYTES:-0}}"
fi
# --- the release's own env.sh ------------------------------------------------------------------
"""


def with_prelude(env_sh: bytes) -> bytes:
    """The release's `env.sh` with our lines before its own, but after a `#!` line."""
    first, _, rest = env_sh.partition(b"\n")
    if first.startswith(b"#!"):
        return first + b"\n" + PRELUDE.encode() + rest
    return PRELUDE.encode() + env_sh
