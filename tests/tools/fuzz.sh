#!/usr/bin/env bash
# Runs every fuzz target of dataplane/fuzz: `fuzz.sh SECONDS` for each, `fuzz.sh --all SECONDS` for all together.
# What is found new goes to dataplane/fuzz/target, never into the committed seeds; a crash stops and is kept in artifacts.
set -euo pipefail
cd "$(dirname "$0")/../../dataplane"

cargo_fuzz=$(../tests/tools/build.py cargo-fuzz)
PATH="$(dirname "$cargo_fuzz"):$PATH"
# libFuzzer's instrumentation asks for flags that stable Rust only takes with this.
export RUSTC_BOOTSTRAP=1

mapfile -t targets < <(cargo fuzz list)
[ "${#targets[@]}" -gt 0 ] || { echo "dataplane/fuzz has no targets" >&2; exit 1; }

if [ "$1" = --all ]; then
    seconds=$(($2 / ${#targets[@]}))
else
    seconds=$1
fi

for target in "${targets[@]}"; do
    corpus=fuzz/target/corpus/$target
    mkdir -p "$corpus"
    seeds=()
    [ -d "fuzz/corpus/$target" ] && seeds=("fuzz/corpus/$target")
    echo "fuzzing $target for $seconds s"
    log=fuzz/target/$target.log
    # Its chatter is only of use when something was found.
    if ! cargo fuzz run "$target" --sanitizer none "$corpus" "${seeds[@]}" -- \
        "-max_total_time=$seconds" -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "fuzzing $target found something or could not be built: the lines above, all of it in dataplane/$log" >&2
        exit 1
    fi
    grep -E "number_of_executed_units|average_exec_per_sec" "$log" | sed 's/^stat::/  /'
done
