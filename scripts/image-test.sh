#!/bin/sh
# Builds the image of the Dockerfile with buildah and runs it with podman, without a daemon and without a registry of
# images: the base images are made by debootstrap and of the pinned Bun. Prints a line for each thing that it checked,
# `SKIPPED:` with the reason for what it could not, and a last line `image: N passed, N failed, N skipped`.
#
#   sudo scripts/image-test.sh [FOLDER]
#
# FOLDER keeps the base images between runs (default ~/.cache/streamer-image-test, about 1 GB). Needs root, the packages
# buildah, podman, runc and debootstrap of Debian, and `npm run setup`. Minutes the first time.

case ${1-} in
  -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; exit ;;
  -*) echo "image-test.sh: unknown option \"$1\"; allowed: --help, or a folder" >&2; exit 2 ;;
esac

cd "$(dirname "$0")/.." || exit 1
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/streamer-image-test}
passed=0 failed=0 skipped=0 container=""

pass() { passed=$((passed + 1)); echo "ok: $1"; }
fail() { failed=$((failed + 1)); echo "FAILED: $1" >&2; }
skip() { skipped=$((skipped + 1)); echo "SKIPPED: $1"; }
finish() {
  echo "image: $passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
  exit
}
# check WHAT FOUND EXPECTED
check() {
  if [ "$2" = "$3" ]; then pass "$1: $2"; else fail "$1: found \"$2\"; expected \"$3\""; fi
}
now_ms() { date +%s%3N; }

lacking=""
for program in buildah podman runc debootstrap; do
  command -v "$program" >/dev/null || lacking="$lacking $program"
done
if [ -n "$lacking" ]; then
  skip "everything: not installed:$lacking (Debian: apt-get install buildah podman runc debootstrap)"
  finish
fi
if [ "$(id -u)" != 0 ]; then
  skip "everything: containers without a daemon need root here (sudo scripts/image-test.sh)"
  finish
fi

# A configuration of its own: nothing of the machine's containers is read or changed.
mkdir -p "$folder/storage" "$folder/run" "$folder/tmp" || exit 1
folder=$(cd "$folder" && pwd)
# Overlay cannot lie on every file system; the other driver copies files instead.
driver=vfs
mkdir -p "$folder/probe/lower" "$folder/probe/upper" "$folder/probe/work" "$folder/probe/merged"
if mount -t overlay overlay "$folder/probe/merged" \
  -o "lowerdir=$folder/probe/lower,upperdir=$folder/probe/upper,workdir=$folder/probe/work" 2>/dev/null; then
  umount "$folder/probe/merged"
  driver=overlay
fi
printf '[storage]\ndriver = "%s"\ngraphroot = "%s/storage"\nrunroot = "%s/run"\n' "$driver" "$folder" "$folder" \
  >"$folder/storage.conf"
echo 'unqualified-search-registries = ["docker.io"]' >"$folder/registries.conf"
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$folder/policy.json"
export CONTAINERS_STORAGE_CONF="$folder/storage.conf" CONTAINERS_REGISTRIES_CONF="$folder/registries.conf"
export TMPDIR="$folder/tmp" BUILDAH_ISOLATION=chroot
policy="--signature-policy $folder/policy.json"

pod() { podman --log-level=fatal --runtime runc --cgroup-manager cgroupfs --events-backend=file "$@"; }
remove() { [ -z "$container" ] || pod rm -f -t 0 "$container" >/dev/null 2>&1; container=""; }
# A build leaves containers of its stages, which stay mounted. All in this storage are of this script.
clean() { remove; buildah --log-level=fatal rm --all >/dev/null 2>&1; }
trap clean EXIT
trap 'exit 1' INT TERM

# commit NAME FILE... : an image with these files, each as FROM:TO.
commit() {
  name=$1
  shift
  working=$(buildah --log-level=fatal from scratch) || return 1
  for pair in "$@"; do
    buildah --log-level=fatal copy -q "$working" "${pair%%:*}" "${pair#*:}" >/dev/null || return 1
  done
  # shellcheck disable=SC2086 # two words
  buildah --log-level=fatal commit -q --rm $policy --format docker "$working" "$name" >/dev/null
}

bun_version=$(sed -n 's/^ARG BUN_VERSION=//p' Dockerfile)
debian=docker.io/library/debian:bookworm-slim
bun=docker.io/oven/bun:$bun_version
if ! buildah inspect --type image "$debian" >/dev/null 2>&1; then
  rm -rf "$folder/rootfs"
  if ! debootstrap --variant=minbase --include=ca-certificates bookworm "$folder/rootfs" >"$folder/debootstrap.log" 2>&1
  then
    skip "everything: debootstrap failed: $(tail -n 1 "$folder/debootstrap.log")"
    finish
  fi
  # What slim images leave out, too.
  rm -rf "$folder"/rootfs/var/cache/apt/archives/*.deb "$folder"/rootfs/var/lib/apt/lists/* \
    "$folder"/rootfs/usr/share/doc "$folder"/rootfs/usr/share/man "$folder"/rootfs/usr/share/locale
  # A machine behind a proxy that opens TLS: its authorities are for the build, in this base only.
  if ls /usr/local/share/ca-certificates/*.crt >/dev/null 2>&1; then
    cp /etc/ssl/certs/ca-certificates.crt "$folder/rootfs/etc/ssl/certs/ca-certificates.crt"
    home=$(awk -F: '$3 == 0 { print $6; exit }' "$folder/rootfs/etc/passwd")
    printf '[install]\ncafile = "/etc/ssl/certs/ca-certificates.crt"\n' >"$folder/rootfs$home/.bunfig.toml"
  fi
  commit "$debian" "$folder/rootfs:/" || { fail "the base image of Debian"; finish; }
  rm -rf "$folder/rootfs"
fi
if ! buildah inspect --type image "$bun" >/dev/null 2>&1; then
  binary=$(readlink -f node_modules/.bin/bun)
  check "the version of Bun" "$("$binary" --version)" "$bun_version"
  commit "$bun" "$binary:/usr/local/bin/bun" || { fail "the image of Bun"; finish; }
fi

image=localhost/streamer:test
began=$(now_ms)
# shellcheck disable=SC2086
if buildah build --pull=never --network host --format docker $policy --build-arg REVISION=test --layers=false \
  -t "$image" . >"$folder/build.log" 2>&1; then
  pass "the Dockerfile builds, in $((($(now_ms) - began) / 1000)) s"
else
  fail "the Dockerfile does not build: $(tail -n 3 "$folder/build.log" | tr '\n' ' ') ($folder/build.log)"
  finish
fi

of_image() { pod image inspect --format "$1" "$image"; }
mib() { echo "$((($1 + 524288) / 1048576))"; }
all=$(of_image '{{.Size}}')
base=$(pod image inspect --format '{{.Size}}' "$debian")
echo "size: $(mib "$all") MiB, of which $(mib "$base") MiB are the base of debootstrap"
check "the user" "$(of_image '{{.Config.User}}')" 10001:10001
check "the health check" "$(of_image '{{.HealthCheck.Test}}')" "[CMD ./streamer health]"
check "the signal to stop" "$(of_image '{{.Config.StopSignal}}')" SIGTERM

port=$(node -e 'const s = require("net").createServer().listen(0, () => { console.log(s.address().port); s.close(); })')
url=http://127.0.0.1:$port

# Runs the image as docs/operations.md says: read-only, no capabilities, no new privileges.
start() {
  container=streamer-image-test-$$
  pod run -d --name "$container" --pull=never --health-interval=disable --network=host --ulimit nofile=4096:4096 --ulimit nproc=4096:4096 \
    --read-only --tmpfs /tmp:exec,mode=1777 --cap-drop ALL --security-opt no-new-privileges \
    -v "$PWD/tests/data:/data:ro" -e STREAMER__SERVER__HOST=127.0.0.1 -e "STREAMER__SERVER__PORT=$port" "$image" \
    >/dev/null || return 1
  tries=0
  until node -e 'fetch(process.argv[1]).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))' \
    "$url/api/v1/ready"; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || return 1
    sleep 0.1
  done
}
inside() { pod exec "$container" "$@"; }
status_of() { inside sed -n "s/^$1:[[:space:]]*//p" /proc/1/status; }

if ! start; then
  fail "the container is not ready: $(pod logs "$container" 2>&1 | tail -n 3)"
  finish
fi
pass "the container is ready"
check "the user in the container" "$(inside id -u):$(inside id -g)" 10001:10001
check "effective capabilities" "$(status_of CapEff)" 0000000000000000
check "no new privileges" "$(status_of NoNewPrivs)" 1
if inside touch /app/file 2>/dev/null || inside touch /file 2>/dev/null; then
  fail "the root file system can be written to"
else
  pass "the root file system is read-only"
fi
if pod healthcheck run "$container" >/dev/null; then pass "HEALTHCHECK passes"; else fail "HEALTHCHECK"; fi

# The executable of the image as client, too: seven utterances of two people.
sent=$(inside ./streamer send --addr "127.0.0.1:$port" -i /data/two-speakers-48k.wav --format json 2>"$folder/send.log")
check "results of real speech" "$(echo "$sent" | grep -c '"type":"segment"')" 7
check "its ledger" "$(grep -c 'the ledger adds up' "$folder/send.log")" 1

# A stream at the speed of a microphone (9 s) is open while the container is told to stop.
pod run --rm --name "$container-client" --pull=never --network=host --ulimit nofile=4096:4096 \
  --ulimit nproc=4096:4096 -v "$PWD/tests/data:/data:ro" "$image" send --addr "127.0.0.1:$port" --real-time \
  -i /data/two-speakers-48k.wav >"$folder/drained.log" 2>&1 &
client=$!
tries=0
until grep -q "speech begins" "$folder/drained.log" || [ "$tries" -ge 300 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
pod kill -s TERM "$container" >/dev/null
code=$(pod wait "$container")
wait "$client"
check "exit code of a client whose server drains" "$?" 0
check "what it was told" "$(grep -c 'warning draining' "$folder/drained.log")" 1
check "its ledger" "$(grep -c 'the ledger adds up' "$folder/drained.log")" 1
check "exit code of the container after SIGTERM" "$code" 0
check "the last record of its log" "$(pod logs "$container" 2>&1 | grep -c '"event":"stopped"')" 1
remove

# From the start of the program in the container to the record `ready`, without podman itself.
times=""
for _ in 1 2 3 4 5; do
  began=$(now_ms)
  start || { fail "the container is not ready again"; break; }
  whole=$(($(now_ms) - began))
  created=$(pod inspect --format '{{.State.StartedAt.UnixMilli}}' "$container")
  ready=$(pod logs "$container" 2>&1 | sed -n 's/.*"time":"\([^"]*\)","event":"ready".*/\1/p' | head -n 1)
  times="$times $(($(date -d "$ready" +%s%3N) - created))/$whole"
  remove
done
echo "start to ready, ms, of the process and with podman:$times"

machine=$(uname -m)
case $machine in
  x86_64) other=arm64 interpreter=qemu-aarch64 ;;
  aarch64) other=amd64 interpreter=qemu-x86_64 ;;
  *) other="" ;;
esac
if [ -e "/proc/sys/fs/binfmt_misc/$interpreter" ]; then
  skip "linux/$other: its programs can be run here, but its base images are not made by this script; use docker buildx"
else
  skip "linux/$other: no $interpreter in binfmt_misc, so its programs cannot be run (Debian: qemu-user-static)"
fi
finish
