#!/bin/bash
# Streams a WAV file to Streamer and prints each final result as a line of JSON, with websocat 1.x and jq:
#
#     bash stream-file.sh FILE [URL [MODEL]]
#
# STREAMER_TOKEN has the token, if the server wants one. REAL_TIME=1 sends at the pace of a live source.

set -o pipefail
file=${1:?usage: bash stream-file.sh FILE [URL [MODEL]]}
url=${2:-ws://localhost:8080/api/v1/segmented}

number() { od --address-radix=n --skip-bytes="$1" --read-bytes="$2" --format="u$2" "$file" | tr -d ' '; }
# The chunk with the format comes first, in most files.
text() { tail -c +"$(($1 + 1))" "$file" | head -c 4 | tr -d '\0'; }
begin=$(text 0)$(text 12)
tag=$(number 20 2) channels=$(number 22 2) rate=$(number 24 4) bytes_per_second=$(number 28 4) frame_bytes=$(number 32 2)
[ "$tag" = 65534 ] && tag=$(number 44 2) # WAVE_FORMAT_EXTENSIBLE
((channels * rate * frame_bytes > 0)) || tag=damaged
case $begin$tag in
  "RIFFfmt "[1367]) ;;
  *) echo "error: $file: found no WAV header that this program reads; ffmpeg -i $file audio.wav writes one" >&2; exit 1 ;;
esac
start=$(jq --null-input --compact-output --arg model "$3" "{
  request: \"start\",
  format: {
    channels: $channels, sample_rate: $rate, bit_depth: (8 * $frame_bytes / $channels), is_float: ($tag == 3),
    encoding: {\"6\": \"alaw\", \"7\": \"mulaw\"}[\"$tag\"]
  },
  model: (if \$model == \"\" then null else \$model end)
}")

# Each line is a message. One that begins with b is binary, in base64; the others are text. The whole file is sent: the
# server skips its header, with a warning.
bytes=12000
pause=$(jq --null-input "$bytes / $bytes_per_second")
messages() {
  echo "$start"
  base64 --wrap $((bytes / 3 * 4)) "$file" | while read -r samples; do
    echo "b$samples"
    [ -z "$REAL_TIME" ] || sleep "$pause"
  done
  echo '{"request": "stop", "disconnect": true}'
}

# Every event is a line, too. Nothing follows an error in place of `started`.
results='
  . as $line | fromjson |
  if .type == "segment" and .is_final != false then $line
  elif .type == "error" then "error: \(.code): \(.message)\n" | halt_error(1)
  elif .type == "stopped" and .reason == "stop" then halt
  elif .type == "stopped" then "error: the server has ended the stream: \(.reason)\n" | halt_error(1)
  else empty end'

messages | websocat --text --base64 --binary-prefix b --no-close \
  ${STREAMER_TOKEN:+"--header=Authorization: Bearer $STREAMER_TOKEN"} "$url" |
  jq --raw-input --raw-output --null-input --unbuffered \
    "(inputs | $results), (\"error: the connection was closed early\n\" | halt_error(1))"
