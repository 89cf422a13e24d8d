# Sourced by dist_train.sh and dist_test.sh: run a script in PROCESSES processes on each of NNODES machines. It takes the
# place of the shell, so that a signal to the shell reaches the run.
run_distributed() {
    local processes=$1
    shift
    # On one machine torchrun finds a free port, so that several runs do not meet at the same one.
    local meeting=(--standalone)
    if [ -n "${PORT:-}" ] || [ "${NNODES:-1}" != 1 ]; then
        meeting=(
            --nnodes="${NNODES:-1}"
            --node-rank="${NODE_RANK:-0}"
            --master-addr="${MASTER_ADDR:-127.0.0.1}"
            --master-port="${PORT:-29500}"
        )
    fi
    exec "${PYTHON:-python}" -m torch.distributed.run \
        "${meeting[@]}" \
        --nproc-per-node="$processes" \
        "$@" --launcher pytorch
}
