"""`python -m benchmarks.prompts`: does diffusion-small draw the animal that its prompt asks for?

A small classifier learns the drawn photos. Then the middle of held-out photos, with the animal in
it, is taken out, and completed four times: asked for a cat, a dog, an elephant, a tiger. How often
the classifier sees what was asked for is compared with chance, 25 %; how often where another animal
was asked for than was there before, too. A picture beside the figures shows some.
"""

import argparse
import json
from pathlib import Path

import keras
import numpy as np
from keras import layers

from benchmarks import measure
from recon import plots, runs
from recon.boxes import Box, rasterise
from recon.data import catalog, pipeline, safari
from recon.methods import diffusion_method
from recon.models import diffusion_small
from recon.stable_diffusion import inpaint
from recon.stable_diffusion.request import Request

FOLDER = Path(__file__).parent / "results"
SIZE = 64
HOLE = Box(4, 4, 56, 56)  # the animal, its surroundings left
TOGETHER = 8  # photos completed from the same noise


def classifier() -> keras.Model:
    """A plain convolutional network: photo `(B, 64, 64, 3)` in [0, 1] -> scores of the classes."""
    return keras.Sequential(
        [
            layers.Input((SIZE, SIZE, 3)),
            *(
                layer
                for width in (16, 32, 64)
                for layer in (
                    layers.Conv2D(width, 3, 2, "same"),
                    layers.BatchNormalization(momentum=0.9),
                    layers.ReLU(),
                )
            ),
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(safari.CLASSES)),
        ]
    )


def trained(table, epochs: int) -> keras.Model:
    """A classifier of the training photos."""
    keras.utils.set_random_seed(0)
    model = classifier()
    model.compile(
        "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    photos = pipeline.load(table, SIZE).astype("float32") / 255
    model.fit(photos, diffusion_small.labels(table), batch_size=32, epochs=epochs, verbose=2)
    return model


def seen(model: keras.Model, photos: np.ndarray) -> np.ndarray:
    """Which class the classifier takes each photo for."""
    return model.predict(photos, verbose=0).argmax(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--out", type=Path, default=FOLDER)
    options = parser.parse_args()

    table = catalog.load("safari", 0)
    judge = trained(catalog.split_of(table, "train"), options.epochs)
    test = catalog.split_of(table, "test").groupby("class").head(options.photos // 4)
    photo = pipeline.load(test, SIZE).astype("float32") / 255
    label = diffusion_small.labels(test)
    mask = np.repeat(rasterise([HOLE], SIZE)[None], len(photo), axis=0)
    masked = photo * (1 - mask)

    networks = inpaint.load("diffusion-small", Request())
    columns, hits = {"masked": masked}, {}
    for number, name in enumerate(safari.CLASSES):
        prompt = f"a drawing of {'an' if name[0] in 'aeiou' else 'a'} {name}"
        parts = []
        for seed, start in enumerate(range(0, len(photo), TOGETHER)):  # other noise for each
            request = Request(
                prompt=prompt, steps=options.steps, guidance=options.guidance, seed=seed
            )
            some = slice(start, start + TOGETHER)
            parts.append(diffusion_method("", networks, request)(masked[some], mask[some]))
        columns[name] = np.concatenate(parts)
        hits[name] = seen(judge, columns[name]) == number
        print(f"{prompt}: {hits[name].mean():.1%}", flush=True)
    columns["truth"] = photo

    others = np.concatenate([hits[name][label != n] for n, name in enumerate(safari.CLASSES)])
    result = {
        "photos": len(photo),
        "hole": list(HOLE),
        "photos_of_one_noise": TOGETHER,
        "steps": options.steps,
        "guidance": options.guidance,
        "classifier_on_the_same_photos": float((seen(judge, photo) == label).mean()),
        "follows_the_prompt": float(np.mean(list(hits.values()))),
        "follows_the_prompt_for_another_animal": float(others.mean()),
        "of_each": {name: float(hit.mean()) for name, hit in hits.items()},
        "chance": 1 / len(safari.CLASSES),
        "cpu": measure.cpu_name(),
        "versions": runs.versions(),
    }
    print(json.dumps(result, indent=2))
    (options.out / "prompts.json").write_text(json.dumps(result, indent=2) + "\n")
    some = [int(np.flatnonzero(label == n)[0]) for n in range(len(safari.CLASSES))]
    plots.comparison(
        options.out / "prompts.png", {name: shown[some] for name, shown in columns.items()}, {}
    )


if __name__ == "__main__":
    main()
