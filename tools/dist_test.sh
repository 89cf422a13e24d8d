#!/usr/bin/env bash
# Evaluate on the GPUs (or, without GPUs, in as many CPU processes) of one or several machines.
#   bash tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
# Further checkpoints, for an ensemble, come after PROCESSES.
# On several machines, run it on each with NNODES, NODE_RANK (0 on the first) and MASTER_ADDR (the first's address) set,
# and PORT unless 29500 is free there.
set -euo pipefail
tools=$(dirname "$0")
source "$tools/_torchrun.sh"

if [ $# -lt 3 ]; then
    echo 'error: expected CONFIG CHECKPOINT PROCESSES [options of tools/test.py]' >&2
    exit 2
fi
run_distributed "$3" "$tools/test.py" "$1" "$2" "${@:4}"
