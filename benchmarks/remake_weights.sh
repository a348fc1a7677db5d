#!/bin/sh
# Make the bundled weights anew: data, detector, scene parser, concept learner, in the order in which they need each
# other. Some three hours on two cores. NSREASON_DATA names the released images; without it, leave out what says real.
#
#     NSREASON_DATA=/path/to/data sh benchmarks/remake_weights.sh data/perception runs
set -eu
data=${1:?a folder for the data}
runs=${2:?a folder for the runs}

python -m benchmarks.perception_data --out "$data" --rendered 5000 --jobs 2
test -d "$data/first" || python -m nsreason generate clevr --scenes 1000 --images --seed 7 --jobs 2 --out "$data/first"

# The detector learns from 1,000 rendered images, then goes on with 160 released ones among them.
python -m nsreason train detector --recipe detector-small --data "$data/first" \
    --out "$runs/detector-1000"
python -m nsreason train detector --recipe detector-small --data "$data/first,$data/real" --set "data.repeat=[1,3]" \
    --from "$runs/detector-1000/best.json" --set data.held_out=0.02 --set training.epochs=4 --set training.lr=6e-4 \
    --set training.weight_decay=1e-2 --set training.schedule.warmup_steps=50 --out "$runs/detector"

# The concept learner is told boxes by the detector, and nothing by annotations.
for part in first real; do
    python -m nsreason detect "$data/$part/images" --checkpoint "$runs/detector/best.json" \
        --out "$data/$part/detections.json" >/dev/null
done
