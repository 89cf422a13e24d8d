#!/usr/bin/env bash
# Evaluate on a Slurm cluster.
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#       bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]
set -euo pipefail
tools=$(dirname "$0")
source "$tools/_srun.sh"

if [ $# -lt 4 ]; then
    echo 'error: expected PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]' >&2
    exit 2
fi
run_on_slurm "$1" "$2" "$tools/test.py" "$3" "$4" "${@:5}"
