#!/bin/sh
# The command of the npm package streamer. It becomes the executable for this machine, which another package has: the
# process, its signals, its terminal, its streams and its exit code are those of the executable. It needs no Node.js.

fail() {
  printf 'streamer: %s\n' "$@" >&2
  exit 1
}

system=$(uname -s)
machine=$(uname -m)
supported='it runs on Linux with the GNU C library, on x86_64 and aarch64'
[ "$system" = Linux ] || fail "found $system on $machine; $supported. On other systems, run it in a container."
case $machine in
  x86_64 | amd64) platform=linux-x64 loader=/lib64/ld-linux-x86-64.so.2 ;;
  aarch64 | arm64) platform=linux-arm64 loader=/lib/ld-linux-aarch64.so.1 ;;
  *) fail "found Linux on $machine; $supported." ;;
esac
[ -e "$loader" ] || fail "found no $loader; $supported." \
  "Alpine and other systems with musl, and 32-bit systems on such a processor, cannot run it; a container can."

# Where Node.js would look for the package: beside this one and in each folder above. pnpm has links to this file.
folder=$(readlink -f -- "$0")
while [ -n "$folder" ]; do
  folder=${folder%/*}
  program=$folder/node_modules/streamer-$platform/bin/streamer
  [ -f "$program" ] || continue
  # npx passes a SIGTERM to the shell that it runs commands in, and that does not: the kernel sends one when it ends.
  if [ "${npm_command-}" = exec ] && setpriv --pdeathsig keep true 2>/dev/null; then
    exec setpriv --pdeathsig TERM "$program" "$@"
  fi
  exec "$program" "$@"
done

fail "the package streamer-$platform is not installed." \
  'It is an optional dependency of streamer, and has the executable for this machine. Probable causes:' \
  '- optional dependencies were left out: install again without --omit=optional and --no-optional;' \
  '- node_modules or the lock file comes from another machine: remove both, and install again.'
