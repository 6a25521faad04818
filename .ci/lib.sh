# shellcheck shell=bash
# What .ci/engine and .ci/tools share: where downloads are kept, and how to get
# Debian packages, either installed or only unpacked. To be sourced by bash.

set -eu -o pipefail
shopt -s inherit_errexit # a failure inside $(…) is a failure too

# A root shell made by plain `su` does not see iptables, ip and runc.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=${IMAGESMITH_TOOLS:-$repo/.cache/tools}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd) # absolute: the engine's PATH is made from it

# Results go to stdout, everything else to stderr: callers use $(…) and eval.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# as_root COMMAND…: directly, or through a sudo that asks for no password.
as_root() {
  if is_root; then
    "$@"
  else
    sudo -n "$@"
  fi
}

# once NAME FUNCTION ARGUMENT…: FUNCTION makes the file or folder named by its
# first argument; it becomes $tools/NAME only when FUNCTION succeeds. Whoever
# calls meanwhile waits, and what a killed call left behind is thrown away (but
# never anything that is mounted in there).
once() {
  local name=$1 make=$2
  shift 2
  if [ -e "$tools/$name" ]; then return 0; fi
  (
    flock 8
    if [ -e "$tools/$name" ]; then exit 0; fi
    partial=$tools/.partial-$name
    rm -rf --one-file-system "$partial"
    trap 'rm -rf --one-file-system "$partial"' EXIT
    "$make" "$partial" "$@"
    mv -T "$partial" "$tools/$name"
  ) 8>"$tools/.lock-$name"
}

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# install_packages PACKAGE…: from the machine's own sources, if missing.
install_packages() {
  local package missing=()
  for package; do
    installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then return 0; fi
  if ! is_root && ! sudo -n true 2>/dev/null; then
    die "not root, and sudo is not at hand; please run: apt-get install ${missing[*]}"
  fi
  say "installing ${missing[*]}"
  (
    flock 8 # apt waits for dpkg's lock by itself, but not for that of its lists
    # Lists that are missing or too old show themselves by a failed install:
    # only then is an update worth its time.
    if ! apt_get install "${missing[@]}"; then
      say "once more, with fresh package lists"
      apt_get update
      apt_get install "${missing[@]}"
    fi
  ) 8>"$tools/.lock-apt" >&2
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq --yes \
    --no-install-recommends -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@"
}

# The Debian mirror that this machine's apt uses (not the security archive).
debian_mirror() {
  local mirror=${IMAGESMITH_DEBIAN_MIRROR:-}
  if [ -z "$mirror" ]; then
    # shellcheck disable=SC2016 # apt fills this in, not the shell
    mirror=$(apt-get indextargets --format '$(REPO_URI)' |
      awk '/\/debian\/$/ && !seen++')
  fi
  [ -n "$mirror" ] ||
    die "apt knows no Debian mirror here; please set IMAGESMITH_DEBIAN_MIRROR to one"
  printf '%s\n' "$mirror"
}

# unpack SUITE NAME PACKAGE…: packages of a Debian release that may be newer
# than this machine, unpacked to $tools/NAME and not installed: no dependencies,
# no maintainer scripts, and the machine's own package lists stay as they are.
unpack() {
  local suite=$1 name=$2
  shift 2
  once "$name" unpack_into "$suite" "$@"
}

debian_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

unpack_into() {
  local into=$1 suite=$2 debs=$1.debs deb # beside it, as all that lies in $into is kept
  shift 2
  mkdir -p "$into"
  download "$debs" "$suite" "$(dpkg --print-architecture)" "$@"
  for deb in "$debs"/*.deb; do
    dpkg -x "$deb" "$into"
  done
  rm -rf "$debs"
}

# download FOLDER SUITE ARCHITECTURE PACKAGE…: the .deb files of any Debian release
# and architecture; what the machine's own apt and dpkg know stays as it is.
download() {
  local into=$1 suite=$2 architecture=$3 apt=$1.apt
  shift 3
  [ -e "$debian_keyring" ] || install_packages debian-archive-keyring
  say "fetching $* of Debian $suite, $architecture"
  rm -rf "$apt" "$into"
  mkdir -p "$into" "$apt"/{state/lists/partial,cache/archives/partial}
  : >"$apt/status"
  printf 'deb [signed-by=%s] %s %s main\n' \
    "$debian_keyring" "$(debian_mirror)" "$suite" >"$apt/sources.list"
  # On the command line, as the machine's apt.conf would win over a file. The
  # machine's settings for proxies and the like stay in force. The sandbox user
  # cannot be counted on to reach a folder inside of somebody's home.
  local private=(
    -q
    -o "APT::Architecture=$architecture"
    -o "APT::Architectures=$architecture"
    -o "Dir::Etc::SourceList=$apt/sources.list"
    -o "Dir::Etc::SourceParts=/dev/null"
    -o "Dir::State=$apt/state"
    -o "Dir::State::Status=$apt/status"
    -o "Dir::Cache=$apt/cache"
    -o "APT::Sandbox::User="
    -o "APT::Update::Error-Mode=any"
    -o "Acquire::Languages=none"
    -o "Acquire::Retries=3"
  )
  apt-get "${private[@]}" update >&2
  (cd "$into" && apt-get "${private[@]}" download "$@" >&2)
  rm -rf "$apt"
}
