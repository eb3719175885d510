#!/usr/bin/env bash
# The main job on a shipped example: measure this machine, fit its cost model, profile
# MobileNetV2, predict it, and write the report. Under five minutes, the install included.
# LATPROF_TRY_TIME sets how long to measure (default 60s).
EXTRAS="" source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

say "measuring this machine (${LATPROF_TRY_TIME:=60s})"
latprof measure --time "$LATPROF_TRY_TIME"
say "fitting its cost model"
latprof fit host --force  # a first look, even on a noisy machine: predictions say so then
say "profiling MobileNetV2"
latprof profile zoo:mobilenet_v2
say "predicting MobileNetV2"
latprof predict zoo:mobilenet_v2 --device host --html reports/mobilenet_v2.html
echo
echo "reports/mobilenet_v2.html"
