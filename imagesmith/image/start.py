"""What an image adds to the release's own start: a few lines of shell, in one place.

mix's start script reads `releases/VSN/env.sh` before everything else and for every command
(start, eval, rpc, remote), so it is the one place that `docker run`, `docker exec` and a
Kubernetes Job all pass: an entrypoint would not see the second, and the third replaces it.
relx and Distillery have no such file; there it is the head of the start script, `bin/NAME`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

__all__ = ["MAX_FILES", "with_prelude", "with_script_prelude"]

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
    if [ -L "$smith_own" ] || {{ [ -e "$smith_own" ] && [ ! -O "$smith_own" ]; }}; then
      echo "ERROR: $smith_own is not this user's own file: remove it, or set RELEASE_COOKIE" >&2
      exit 1
    fi
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
"""
ENV_SH_FOLLOWS = """\
# --- the release's own env.sh ------------------------------------------------------------------
"""

# The scripts of relx and Distillery know a cookie from vm.args alone, give it to the VM and use it
# for rpc. They write what they fill in from the environment beside vm.args (relx) or into var/
# (Distillery). So they get a copy of vm.args with the cookie in it, and a folder to write into:
# one for the node, and one for each other command, as `docker exec C bin/NAME ping` must not
# change a file that a starting node is about to read.
VM_ARGS = """\
case "$RELEASE_COOKIE" in
  [-+]* | *[!A-Za-z0-9_.@%=:,/~^+-]*)
    echo "ERROR: the cookie must be of letters, digits and _.@%=:,/~^+-," \\
      "and must not begin with + or -" >&2
    exit 1
    ;;
esac
smith_tmp="${RELEASE_TMP:-/tmp}"
for smith_run in "$smith_tmp"/.release-run-[0-9]*; do
  smith_pid="${smith_run##*-}"
  [ -d "/proc/${smith_pid%.new}" ] || rm -rf "$smith_run"
done
case "${1:-}" in
  foreground | console* | daemon* | start*) smith_run="$smith_tmp/.release-run" ;;
  *) smith_run="$smith_tmp/.release-run-$$" ;;
esac
smith_args="${VMARGS_PATH:-}"
if [ -z "$smith_args" ]; then
  smith_root="$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd -P)"
  smith_args="${RELEASE_CONFIG_DIR:-$smith_root}/vm.args"
  [ -f "$smith_args" ] || smith_args="$smith_root"/releases/@VERSION@/vm.args
fi
smith_as=vm.args
if [ -f "$smith_args.src" ]; then
  smith_args="$smith_args.src"
  smith_as=vm.args.src
elif [ -f "$smith_args.orig" ]; then
  smith_args="$smith_args.orig"
fi
{
  rm -rf "$smith_run-$$.new" && mkdir -m 700 "$smith_run-$$.new" && mkdir "$smith_run-$$.new/in" &&
    cat "$smith_args" > "$smith_run-$$.new/in/$smith_as" &&
    { grep -q '^[^#]*-setcookie' "$smith_run-$$.new/in/$smith_as" ||
      printf '\n-setcookie %s\n' "$RELEASE_COOKIE" >> "$smith_run-$$.new/in/$smith_as"; } &&
    rm -rf "$smith_run" && mv "$smith_run-$$.new" "$smith_run"
} || {
  echo "ERROR: $smith_args cannot be copied to $smith_tmp: make it writable (--tmpfs /tmp)," \
    "or set RELEASE_TMP" >&2
  exit 1
}
VMARGS_PATH="$smith_run/in/vm.args"
unset RELX_COOKIE smith_tmp smith_pid smith_root smith_args smith_as
"""
OUT_OF_RELX = """\
[ -d "${RELX_OUT_FILE_PATH:-}" ] || RELX_OUT_FILE_PATH="$smith_run"
unset smith_run
"""
OUT_OF_DISTILLERY = """\
RELEASE_MUTABLE_DIR="${RELEASE_MUTABLE_DIR:-$smith_run}"
export VMARGS_PATH RELEASE_MUTABLE_DIR
unset smith_run
"""
CRASH_DUMP = """\
# --- by imagesmith: a crash dump on tmpfs counts as memory; ERL_CRASH_DUMP=PATH asks for one ----
if [ -z "${ERL_CRASH_DUMP:-}" ]; then
  export ERL_CRASH_DUMP_BYTES="${ERL_CRASH_DUMP_BYTES:-0}"
fi
"""
SCRIPT_FOLLOWS = """\
# --- the release's own start script ------------------------------------------------------------
"""


def with_prelude(env_sh: bytes) -> bytes:
    """The release's `env.sh` with our lines before its own, but after a `#!` line.

    Those on the crash dump come last, since `env.sh` itself may ask for one.
    """
    end = b"" if env_sh.endswith(b"\n") or not env_sh else b"\n"
    return _after_shebang(env_sh, PRELUDE + ENV_SH_FOLLOWS) + end + CRASH_DUMP.encode()


def with_script_prelude(
    script: bytes, version: str, variables: Sequence[str], *, relx: bool
) -> bytes:
    """The start script of relx or Distillery with our lines before its own.

    `variables` are the names of others than RELEASE_COOKIE that may give the cookie.
    """
    lines = [f'RELEASE_COOKIE="${{RELEASE_COOKIE:-${{{name}:-}}}}"\n' for name in variables]
    own = VM_ARGS.replace("@VERSION@", shlex.quote(version))
    out = OUT_OF_RELX if relx else OUT_OF_DISTILLERY
    return _after_shebang(script, "".join([*lines, PRELUDE, CRASH_DUMP, own, out, SCRIPT_FOLLOWS]))


def _after_shebang(script: bytes, lines: str) -> bytes:
    first, _, rest = script.partition(b"\n")
    if first.startswith(b"#!"):
        return first + b"\n" + lines.encode() + rest
    return lines.encode() + script
