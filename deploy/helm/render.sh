#!/bin/sh
# Renders the chart with its defaults and with each file of examples/ into rendered/. Tried with helm 4.3.1.
set -eu
cd "$(dirname "$0")"
helm template streamer streamer --namespace streamer > rendered/default.yaml
for values in examples/*.yaml; do
  helm template streamer streamer --namespace streamer --values "$values" > "rendered/${values##*/}"
done
