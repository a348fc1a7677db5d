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
    --from "$runs/detector-1000/best.safetensors" --set data.held_out=0.02 --set training.epochs=4 --set training.lr=6e-4 \
    --set training.weight_decay=1e-2 --set training.schedule.warmup_steps=50 --set model_config.score=0.3 \
    --out "$runs/detector"

# The detector finds the objects of the images to learn from: the scene parser's are matched to the annotations, the
# concept learner's are not.
for part in first rendered real; do
    python -m nsreason detect "$data/$part/images" --checkpoint "$runs/detector/best.safetensors" \
        --out "$data/$part/detections.json" >/dev/null
done

python -m nsreason train scene-parser --recipe scene-parser --data "$data/rendered" \
    --set training.epochs=9 --set training.validate_every=3 --out "$runs/scene-parser-5000"
python -m nsreason train scene-parser --recipe scene-parser --data "$data/first,$data/real,$data/real,$data/real" \
    --from "$runs/scene-parser-5000/best.safetensors" --set data.held_out=0.02 --set training.lr=4e-4 \
    --set training.epochs=8 --out "$runs/scene-parser"

lessons='curriculum.lesson=[{name="single steps",epochs=3,max_objects=6,max_nodes=5},{name="few steps",epochs=3,max_objects=7,max_nodes=8},{name="everything"}]'
python -m nsreason train concept-learner --recipe clevr-image-quick --data "$data/rendered" --set "$lessons" \
    --set training.epochs=16 --set data.held_out=0.04 --out "$runs/concept-learner-5000"
python -m nsreason train concept-learner --recipe clevr-image-quick --data "$data/first,$data/real" \
    --from "$runs/concept-learner-5000/best.safetensors" --set 'curriculum.lesson=[{name="everything"}]' \
    --set data.held_out=0.02 --set training.lr=5e-4 --set training.epochs=10 --out "$runs/concept-learner"

python -m benchmarks.bundle_weights --data-seed 7 --note "and 160 released images of CLEVR" \
    --detector "$runs/detector" --scene-parser "$runs/scene-parser" --concept-learner "$runs/concept-learner"
python -m benchmarks.familiarity
