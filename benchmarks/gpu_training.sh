#!/usr/bin/env bash
# Every training for some steps on a card, stopped and gone on with: see TODO-GPU.md. On a CPU it takes a quarter of an hour.
# STEPS: of each; on 256 px. Run from the root of the checkout.
set -eu
python=${PYTHON:-python3} steps=${STEPS:-40}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

settings() {  # name, line...: a file of settings
    local file=$folder/$1.toml
    shift
    printf '%s\n' "$@" > "$file"
    echo "$file"
}
train() { "$python" -m stylizer train "$@"; }

train data characters "$folder/pairs" --pairs 24
grow="grow = [$((steps / 4)), $((steps / 2))]"
gan=$(settings gan "steps = $steps" "r1_every = 4" "path_every = 4" "adaptive_pictures = 100" "$grow")
train stylegan2 "$folder/pairs" --out "$folder/gan" --settings "$gan"
train stylegan2 "$folder/pairs" --out "$folder/gan" --settings "$(settings more "steps = $((2 * steps))" "r1_every = 4" "path_every = 4" "$grow")"
train fine-tune "$folder/pairs" --from "$folder/gan" --out "$folder/drawing" --settings "$gan"
train encoder "$folder/pairs" --from "$folder/gan" --out "$folder/encoder" --settings "$(settings encoder "steps = $steps")"
train toonify --data "$folder/pairs" --out "$folder/style" \
    --settings "$(settings style "photo_steps = 2" "steps_128 = $steps" "steps_256 = $steps" "adversarial_from = 0" "r1_every = 4")"
train next-frame drawn:spirals --name quick --out "$folder" --minutes "${MINUTES:-0.2}"
