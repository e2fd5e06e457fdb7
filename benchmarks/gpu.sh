#!/usr/bin/env bash
# Everything that needs a GPU, in one go: see TODO-GPU.md. Run from the root of the checkout.
set -u
out=${1:-benchmarks/results}
python=${PYTHON:-python3}
failed=0
mkdir -p "$out"
card=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1 | tr -c 'A-Za-z0-9\n' '-')
[ -n "$card" ] || { echo "no NVIDIA card" >&2; exit 3; }

step() {  # name, seconds, command...: runs it under a limit, keeps its output, remembers a failure
    local name=$1 limit=$2
    shift 2
    echo "== $name"
    timeout "$limit" "$@" 2>&1 | tee "$out/$card-$name.log"
    local code=${PIPESTATUS[0]}
    [ "$code" -eq 0 ] || { echo "FAILED: $name ($code)"; failed=1; }
}

step check 90 "$python" -m kernels.check
if command -v compute-sanitizer >/dev/null; then
    step memcheck 120 compute-sanitizer --tool memcheck --error-exitcode 9 "$python" -m kernels.check
    step racecheck 120 compute-sanitizer --tool racecheck --error-exitcode 9 "$python" -m kernels.check
else
    echo "compute-sanitizer is not on PATH: memcheck and racecheck were not run" | tee "$out/$card-sanitizer-missing.log"
fi
step bench 240 "$python" -m kernels.bench --json "$out/$card.json" --plot "$out/$card.png"
# The whole chain; needs everything of requirements.lock and the weights (STYLIZER_MODELS).
step vj 60 "$python" -m stylizer.bench.vj_gpu --json "$out/vj-$card.json"
step render 60 "$python" -m stylizer vj render --seconds 10 --json "$out/vj-render-$card.json" "$out/vj-$card.mp4"
grep -q '"loop": "own CUDA kernels' "$out/vj-render-$card.json" || { echo "FAILED: render did not run on the card"; failed=1; }
step toonify 90 "$python" -m stylizer.bench.toonify_gpu --json "$out/toonify-$card.json"
step engines 120 env REQUIRE_GPU=1 "$python" -m pytest -q -m gpu tests/engines
step training 300 env PYTHON="$python" bash benchmarks/gpu_training.sh
step doctor 120 "$python" -m stylizer doctor
step pipeline 240 "$python" -m stylizer bench pipeline --json "$out/pipeline-$card.json"
step stages 120 "$python" -m stylizer bench stages --json "$out/stages-$card.json"
step live 120 "$python" -m stylizer bench live --visitors 16 --fps 60 --seconds 20 --json "$out/live-$card.json"
exit $failed
