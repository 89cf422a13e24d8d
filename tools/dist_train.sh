#!/usr/bin/env bash
# Train on the GPUs (or, without GPUs, in as many CPU processes) of one or several machines.
#   bash tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# On several machines, run it on each with NNODES, NODE_RANK (0 on the first) and MASTER_ADDR (the first's address) set,
# and PORT unless 29500 is free there.
set -euo pipefail
tools=$(dirname "$0")
source "$tools/_torchrun.sh"

if [ $# -lt 2 ]; then
    echo 'error: expected CONFIG PROCESSES [options of tools/train.py]' >&2
    exit 2
fi
run_distributed "$2" "$tools/train.py" "$1" "${@:3}"
