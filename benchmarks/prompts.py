"""`python -m benchmarks.prompts`: does diffusion-small draw the animal that its prompt asks for?

A small classifier learns the drawn photos. Then the middle of held-out photos, with the animal in
it, is taken out, and completed four times: asked for a cat, a dog, an elephant, a tiger. How often
the classifier sees what was asked for is compared with chance, 25 %; how often where another animal
was asked for than was there before, too. A picture beside the figures shows some.
"""

import argparse
import json
from pathlib import Path

from benchmarks import measure

SIZE = 64
HOLE = (4, 4, 56, 56)  # row, column, height, width: the animal, its surroundings left
TOGETHER = 8  # photos completed from the same noise


def needs() -> str | None:
    """Nothing that recon does not need itself."""
    return None


def classifier():
    """A plain convolutional network: photo `(B, 64, 64, 3)` in [0, 1] -> scores of the classes."""
    import keras
    from keras import layers

    from recon.data import safari

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


def trained(table, epochs: int):
    """A classifier of the training photos."""
    import keras

    from recon.data import pipeline
    from recon.models import diffusion_small

    keras.utils.set_random_seed(0)
    model = classifier()
    model.compile(
        "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    photos = pipeline.load(table, SIZE).astype("float32") / 255
    model.fit(photos, diffusion_small.labels(table), batch_size=32, epochs=epochs, verbose=2)
    return model


def seen(model, photos):
    """Which class the classifier takes each photo for."""
    return model.predict(photos, verbose=0).argmax(axis=1)


def rows(result: dict) -> list[tuple[str, str, str, str]]:
    """Lines of the README's table."""
    return [
        (
            "diffusion-small draws the animal that was asked for "
            f"(where it was another: {result['follows_the_prompt_for_another_animal']:.0%})",
            f"{result['follows_the_prompt']:.0%}",
            f"chance {result['chance']:.0%}",
            "python -m benchmarks.prompts",
        )
    ]


def ask(count: int, epochs: int, steps: int, guidance: float) -> tuple[dict, dict]:
    """Complete photos, asking for each animal in turn, and have the classifier look.

    Returns:
        the figures, and columns of a picture: heading -> a photo of each class.
    """
    import numpy as np

    from recon import boxes
    from recon.data import catalog, pipeline, safari
    from recon.methods import diffusion_method
    from recon.models import diffusion_small
    from recon.stable_diffusion import inpaint
    from recon.stable_diffusion.request import Request

    table = catalog.load("safari", 0)
    judge = trained(catalog.split_of(table, "train"), epochs)
    test = catalog.split_of(table, "test").groupby("class").head(count // 4)
    photo = pipeline.load(test, SIZE).astype("float32") / 255
    label = diffusion_small.labels(test)
    mask = np.repeat(boxes.rasterise([boxes.Box(*HOLE)], SIZE)[None], len(photo), axis=0)
    masked = photo * (1 - mask)

    networks = inpaint.load("diffusion-small", Request())
    columns, hits = {"masked": masked}, {}
    for number, name in enumerate(safari.CLASSES):
        prompt = f"a drawing of {'an' if name[0] in 'aeiou' else 'a'} {name}"
        parts = []
        for seed, start in enumerate(range(0, len(photo), TOGETHER)):  # other noise for each
            request = Request(prompt=prompt, steps=steps, guidance=guidance, seed=seed)
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
        "steps": steps,
        "guidance": guidance,
        "classifier_on_the_same_photos": float((seen(judge, photo) == label).mean()),
        "follows_the_prompt": float(np.mean(list(hits.values()))),
        "follows_the_prompt_for_another_animal": float(others.mean()),
        "of_each": {name: float(hit.mean()) for name, hit in hits.items()},
        "chance": 1 / len(safari.CLASSES),
    }
    some = [int(np.flatnonzero(label == n)[0]) for n in range(len(safari.CLASSES))]
    return result | measure.machine(), {name: shown[some] for name, shown in columns.items()}


def main() -> None:
    """Ask; keep the figures, and a picture beside them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--out", type=Path, default=measure.RESULTS / "prompts.json")
    options = parser.parse_args()
    result, columns = ask(options.photos, options.epochs, options.steps, options.guidance)
    print(json.dumps(result, indent=2))
    measure.write("prompts", result, options.out)

    from recon import plots

    plots.comparison(options.out.with_suffix(".png"), columns, {})


if __name__ == "__main__":
    main()
