#!/usr/bin/env bash
# Train on a Slurm cluster.
#   [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#       bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]
set -euo pipefail
tools=$(dirname "$0")
source "$tools/_srun.sh"

if [ $# -lt 4 ]; then
    echo 'error: expected PARTITION JOB_NAME CONFIG WORK_DIR [options of tools/train.py]' >&2
    exit 2
fi
run_on_slurm "$1" "$2" "$tools/train.py" "$3" --work-dir "$4" "${@:5}"
