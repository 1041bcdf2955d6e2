"""`python -m recon.train`: photos in, a trained model out."""

import math
import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal

import keras
import numpy as np
import pandas as pd
from cyclopts import Parameter

from recon import (
    atomic,
    classical,
    commandline,
    devices,
    evaluate,
    feeding,
    fitting,
    memory,
    methods,
    models,
    plots,
    runs,
)
from recon.data import catalog
from recon.devices import start as start_devices  # `devices` is an option of `train`
from recon.errors import BadInput

SHOWN = 8  # validation photos in the picture after every epoch
# Unless a recipe says otherwise
USUAL = {"boxes": 2, "zoom": 0.0, "gamma": 0.0, "optimizer": "adam"}

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
Objective = Literal["bce", "lsgan", "hinge"]
Optimizer = Literal["adam", "muon"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a run's outcome; a run keeps it in its config.json.

    None stands for what the model's recipe or, when a run is resumed, its config.json says.
    """

    model: str | None = None
    """Which model: pix2pix (the default), unet, bilstm, cyclegan, dcgan or diffusion-small."""

    data: str | None = None
    """`safari`, the drawn photos (the default), or a folder of photos."""

    size: int | None = None
    """Height and width; 64 for safari, 256 for folders. Which ones a model takes differs."""

    epochs: int | None = None
    """How many epochs."""

    steps_per_epoch: int | None = None
    """Batches an epoch; by default as many as the photos fill."""

    batch_size: int | None = None
    """Photos a batch."""

    boxes: int | None = None
    """Boxes missing from a photo in training: more teach more a photo, and hide more of it."""

    zoom: float | None = None
    """By how much photos are enlarged at most, another factor from 1 on every time and one side up
    to a third more than the other, before a square is cut out; 0: all by 286/256. Drawn photos
    never are."""

    gamma: float | None = None
    """By how much photos are made darker or brighter, otherwise every time: to powers from e^-gamma
    to e^gamma, every colour to another; 0: not at all."""

    optimizer: Optimizer | None = None
    """adam, or muon, which moves wide kernels by an orthogonal matrix."""

    learning_rate: float | None = None
    """Learning rate at the start."""

    beta_1: float | None = None
    """Adam's β₁, the momentum of the gradient's mean."""

    decay_from: float | None = None
    """Part of the training, 0 to 1, after which the learning rate falls linearly to 0; 1: never."""

    ema: float | None = None
    """Momentum of a moving average of the weights, such as 0.999, used in the end; 0: none."""

    objective: Objective | None = None
    """The adversarial loss, for models that have one: bce, lsgan or hinge."""

    start: str | None = None
    """Folder of a finished run of the same model at a smaller size, whose weights to begin with."""

    precision: Precision | None = None
    """auto (the default): mixed_bfloat16 on a GPU or a CPU with AMX, else float32; the run keeps
    what was chosen."""

    seed: int | None = None
    """Decides all that is random; 0 by default."""


def option(name: str) -> str:
    """How a setting is called on the command line: `batch_size` is `--batch-size`."""
    return "--" + name.replace("_", "-")


def check(settings: Settings) -> None:
    """Raise BadInput for numbers that cannot be meant."""
    for name in ("epochs", "steps_per_epoch", "batch_size", "boxes"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            raise BadInput(f"{option(name)} {value}: must be 1 or more")
    if settings.zoom != 0 and not 1 <= settings.zoom <= 8:
        raise BadInput(f"--zoom {settings.zoom}: must be from 1 to 8, or 0")
    if not 0 <= settings.gamma <= 2:
        raise BadInput(f"--gamma {settings.gamma}: must be from 0 to 2")
    if not 0 < settings.learning_rate < math.inf:
        raise BadInput(f"--learning-rate {settings.learning_rate}: must be a number above 0")
    if not 0 <= settings.beta_1 < 1:
        raise BadInput(f"--beta-1 {settings.beta_1}: must be 0 or more and less than 1")
    if not 0 <= settings.decay_from <= 1:
        raise BadInput(f"--decay-from {settings.decay_from}: must lie between 0 and 1")
    if not 0 <= settings.ema < 1:
        raise BadInput(f"--ema {settings.ema}: must be 0 or more and less than 1")
    if not 0 <= settings.seed < 2**31:
        raise BadInput(f"--seed {settings.seed}: must be a whole number from 0 to 2147483647")


def resolve(stated: Settings) -> Settings:
    """Fill in what the user left open: the defaults, then the model's recipe for the size.

    What `auto` chooses is settled here too, so that a run goes on as it began.

    Raises:
        BadInput: an unknown model, or a number that cannot be meant.
    """
    data = stated.data or "safari"
    model = stated.model or "pix2pix"
    module = models.find(model)
    size = evaluate.default_size(data) if stated.size is None else stated.size
    if size not in module.SIZES:
        sizes = ", ".join(map(str, module.SIZES))
        raise BadInput(f"--size {size}: {model} takes photos of {sizes} pixels; choose one")
    if getattr(module, "EVEN_BATCH", False) and (stated.batch_size or 2) % 2:
        raise BadInput(f"--batch-size {stated.batch_size}: {model} takes an even number of photos")
    recipe = module.recipe(size)
    if stated.objective and "objective" not in recipe:
        raise BadInput(
            f"--objective {stated.objective}: {model} has no adversarial loss; leave it out"
        )
    if stated.start and not hasattr(module, "grow"):
        raise BadInput(f"--start {stated.start}: {model} does not grow from size to size")
    defaults = {"precision": "auto", "seed": 0, **USUAL, **recipe}
    defaults |= {"model": model, "data": data, "size": size}
    left_open = {f.name for f in fields(stated) if getattr(stated, f.name) is None}
    settings = replace(stated, **{k: v for k, v in defaults.items() if k in left_open})
    check(settings)
    return replace(settings, precision=choose_precision(settings.precision))


def resume_settings(stated: Settings, config: dict, out: Path) -> Settings:
    """The settings of a run that is resumed; what the user states must agree with them.

    Raises:
        BadInput: a setting that differs, or that is not known.
    """
    kept = config["settings"]
    try:
        # What an older version did not keep was as usual.
        recipe = models.find(kept["model"]).recipe(kept["size"])
        had = Settings(**(recipe | USUAL | kept))
    except (TypeError, KeyError):  # a setting that this version does not know
        version = config.get("versions", {}).get("recon", "another version")
        raise BadInput(f"{out}: begun by recon {version}, which has other settings") from None
    for name, value in asdict(stated).items():
        before = getattr(had, name)
        if value not in (None, before) and (name, value) != ("precision", "auto"):
            how = f"without {option(name)}" if before is None else f"with {option(name)} {before}"
            raise BadInput(
                f"{out}: was begun {how}, not {value}; "
                f"leave {option(name)} out to go on, or choose another --out"
            )
    return had


def halves(settings: Settings) -> bool:
    """Whether the model treats the two halves of a batch apart."""
    return getattr(models.find(settings.model), "EVEN_BATCH", False)


def default_out(settings: Settings) -> Path:
    """runs/MODEL-DATA-SIZE"""
    data = "safari" if settings.data == "safari" else Path(settings.data).resolve().name
    return Path("runs") / f"{settings.model}-{data}-{settings.size}"


def choose_precision(precision: str) -> str:
    """What `auto` means here: 16 bits where the hardware multiplies them, else 32."""
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if multiplier() else "float32"


def multiplier() -> str | None:
    """What this machine multiplies 16-bit numbers with, if it has something for them alone."""
    if has_gpu():
        return "on a GPU"
    cpu = Path("/proc/cpuinfo")
    return "on a CPU with AMX" if cpu.exists() and "amx_bf16" in cpu.read_text() else None


def has_gpu() -> bool:
    """Whether the backend has a GPU to work on."""
    # All devices, not list_devices("gpu"): where there is none, JAX takes that for an error.
    return any(not name.startswith("cpu") for name in keras.distribution.list_devices())


def photos_of(settings: Settings) -> dict[str, pd.DataFrame]:
    """The photos of each split: train, val and test.

    Raises:
        BadInput: the data cannot be read, a split has no photos, or a class no words for the model.
    """
    table = catalog.load(settings.data, settings.seed)
    module = models.find(settings.model)
    if hasattr(module, "labels"):  # a class without words is said before anything is written
        module.labels(table)
    return {split: catalog.split_of(table, split) for split in catalog.SPLITS}


def summary(settings: Settings, splits: dict[str, pd.DataFrame]) -> str:
    """One line: what is trained on what."""
    counts = ", ".join(f"{len(rows):,} {split}" for split, rows in splits.items())
    place = f" {multiplier()}" if settings.precision == "mixed_bfloat16" and multiplier() else ""
    return (
        f"{settings.model} on {settings.data} at {settings.size}×{settings.size}, "
        f"{settings.precision}{place}: {counts} photos"
    )


def check_start(settings: Settings) -> None:
    """See that the run whose weights to begin with is there, and finished.

    Raises:
        BadInput: it is not, or its size does not divide this one's.
    """
    start = Path(settings.start)
    had = runs.read_config(start)["settings"]
    if had["model"] != settings.model:
        raise BadInput(f"--start {start}: a run of {had['model']}, not of {settings.model}")
    if not (start / runs.REPORT).is_file():
        raise BadInput(f"--start {start}: not trained to its end; {runs.how_to_resume(start)}")
    if had["size"] >= settings.size or settings.size % had["size"]:
        raise BadInput(
            f"--start {start}: trained at {had['size']}×{had['size']}, which does not grow "
            f"to {settings.size}×{settings.size}"
        )


def begin(
    stated: Settings, out: Path | None, resume: bool, team: devices.Team
) -> tuple[Settings, Path]:
    """Settle the settings and the folder of a run, new or resumed.

    Raises:
        BadInput: settings that cannot be meant, a folder that is not empty, nothing to resume.
    """
    if not resume:
        settings = resolve(stated)
        out = out or default_out(settings)
        team.check_batch(settings.batch_size, halves(settings))
        if team.is_chief:
            runs.check_free(out)
        if settings.start:
            check_start(settings)
        return settings, out
    out = out or default_out(resolve(stated))
    if not (out / runs.CONFIG).exists():
        raise BadInput(f"{out}: nothing to resume (it has no {runs.CONFIG}); leave --resume out")
    settings = resume_settings(stated, runs.read_config(out), out)
    team.check_batch(settings.batch_size, halves(settings))
    if (out / runs.REPORT).is_file():
        raise BadInput(f"{out}: nothing to resume, this run is finished; see {out / runs.REPORT}")
    return settings, out


def compiled(settings: Settings, steps: int, replicated: bool = False) -> keras.Model:
    """Build the model and give it its optimiser, for a training of so many steps."""
    build = models.find(settings.model).build
    model = build(settings.size, *([settings.objective] if settings.objective else []))
    rates = settings.learning_rate, settings.beta_1, settings.decay_from, settings.ema
    optimizer = fitting.optimizer(settings.optimizer, *rates, steps)
    # XLA is slower than oneDNN on a CPU, and faster on everything else; it compiles no step that
    # TensorFlow's replicas share.
    jit = "auto" if has_gpu() and not replicated else keras.backend.backend() == "jax"
    model.compile(optimizer, jit_compile=jit)
    return model


def grow(settings: Settings, model: keras.Model) -> None:
    """Give a model the weights of the finished run that `settings.start` names.

    Raises:
        BadInput: no such run, or one whose weights do not fit.
    """
    smaller = runs.load_model(settings.start, settings.model)
    try:
        models.find(settings.model).grow(model, smaller)
    except ValueError as error:
        raise BadInput(f"--start {settings.start}: {error}") from None


def fit(
    settings: Settings,
    out: Path,
    splits: dict[str, pd.DataFrame],
    team: devices.Team = devices.ALONE,
    place: Path | None = None,
) -> None:
    """Train from the last checkpoint, or from the start, to the last epoch, and save the model.

    Args:
        settings: resolved.
        out: the run's folder.
        splits: photos to train on, and to watch.
        team: who shares the training; called in its scope.
        place: where this machine writes, if it is not the chief, who writes to `out`.

    Raises:
        BadInput: the loss is no number.
        OSError: the disk or the memory is full.
    """
    import tensorflow as tf  # the pipeline needs it, whatever the backend

    from recon.data import pipeline

    place = place or out
    memory.keep()
    keras.utils.set_random_seed(settings.seed)
    keras.mixed_precision.set_dtype_policy(settings.precision)
    size, batch_size = settings.size, settings.batch_size
    steps = settings.steps_per_epoch or math.ceil(len(splits["train"]) / batch_size)
    model = compiled(settings, settings.epochs * steps, team.replicated)
    done = runs.load_checkpoint(out, model)
    if settings.start and not done:
        grow(settings, model)
    if done:
        print(f"going on after epoch {done} of {settings.epochs}", flush=True)

    module = models.find(settings.model)
    labels = getattr(module, "labels", lambda table: None)  # a model may ask what photos show
    watched = splits["val"].iloc[evaluate.spread(len(splits["val"]), SHOWN)]
    shown, photo = next(iter(pipeline.fixed(watched, size, SHOWN).as_numpy_iterator()))

    def picture(path: Path) -> None:
        if hasattr(model, "samples"):  # it draws from nothing, whatever is masked
            plots.contact_sheet(path, *np.split(model.samples(4 * SHOWN), 4))
            return
        if team.replicated:  # each of them would predict all
            guess = keras.ops.convert_to_numpy(model(shown, training=False))
            completed = classical.paste(shown["masked"], shown["mask"], guess)
        else:
            completed = methods.learned_method("", model)(shown["masked"], shown["mask"])
        plots.contact_sheet(path, shown["masked"], completed, photo)

    base = pipeline.jittered(splits["train"], size, settings.zoom)
    fits = len(splits["train"]) * base**2 * 3 <= pipeline.KEPT
    # On a CPU they lie in the same memory anyway, and a slice is cheaper than a gather.
    resident = fits and has_gpu()
    fed = feeding.Fed(model, pipeline.load(splits["train"], base) if resident else None)
    devices.prepare(fed, team)
    apart = halves(settings)
    unit = team.unit(apart)
    together = evaluate.BATCH - evaluate.BATCH % unit or unit
    val = splits["val"].iloc[team.shared(len(splits["val"]), together, apart)]
    batches = pipeline.wire(
        splits["train"],
        size,
        batch_size,
        steps,
        settings.seed,
        done,
        fits,
        labels(splits["train"]),
        settings.boxes,
        resident,
        team.rows(batch_size, apart),
        settings.zoom,
        settings.gamma,
    )
    validation = pipeline.fixed_wire(val, size, together // team.machines, labels(val))
    try:
        with fitting.StopAtCtrlC() as stop_at_ctrl_c:
            fed.fit(
                team.distributed(batches),
                steps_per_epoch=steps,
                initial_epoch=done,
                epochs=settings.epochs,
                shuffle=False,  # the pipeline does
                validation_data=team.distributed(validation),
                # At the end of their photos TensorFlow's replicas would work on an empty batch.
                validation_steps=math.ceil(len(val) * team.machines / together),
                verbose=1 if sys.stdout.isatty() else 2,  # a bar; in a log, a line per epoch
                callbacks=[
                    stop_at_ctrl_c,
                    fitting.StopAtNaN(out),
                    fitting.Reseed(settings.seed),
                    fitting.ValidateAveraged(),
                    fitting.Clock(place),
                    # before TensorBoard, whose errors are TensorFlow's
                    fitting.Record(place, picture),
                    fitting.TensorBoard(place / runs.LOGS, write_graph=False),
                ],
            )
    except tf.errors.ResourceExhaustedError as error:
        # TensorBoard's log on a full disk, or too little memory for a batch
        raise OSError(error.message.splitlines()[0].split("}} ")[-1]) from None
    with atomic.writing(place / runs.MODEL) as temporary:
        model.save(temporary)


def finish(settings: Settings, out: Path, test: pd.DataFrame) -> None:
    """Compare the trained model with the classical fills, and draw what came of it.

    What is measured is the file as others will read it: in float32, whatever it was trained in.
    """
    keras.mixed_precision.set_dtype_policy("float32")
    model = runs.load_model(out)
    plots.curves(out / "curves.png", runs.read_history(out))
    chosen = [methods.load(name) for name in classical.FILLS]
    chosen.append(methods.learned_method(settings.model, model))
    scores = evaluate.compare(chosen, test, settings.size)
    evaluate.picture(out / "samples.png", chosen, test, settings.size)
    evaluate.print_table(scores, evaluate.title(settings.data, "test", len(test), settings.size))
    report = evaluate.report(settings.data, settings.size, "test", len(test), scores)
    more = {"model": settings.model, "parameters": model.count_params(), **runs.read_clock(out)}
    runs.write_json(out / runs.REPORT, report | more)
    print(f"{out / 'samples.png'} shows it; {out} holds all of the run")


def train(
    settings: Settings | None = None,
    *,
    out: Annotated[Path | None, Parameter(group="Run")] = None,
    resume: Annotated[bool, Parameter(group="Run")] = False,
    devices: Annotated[int | None, Parameter(group="Run")] = None,
    machines: Annotated[list[str] | None, Parameter(group="Run")] = None,
    machine: Annotated[int | None, Parameter(group="Run")] = None,
) -> None:
    """Train a model on photos, and compare it with the classical fills on others.

    Parameters
    ----------
    out
        The run's folder; by default runs/MODEL-DATA-SIZE.
    resume
        Go on with an interrupted run, on as many devices as are named now.
    devices
        How many GPUs share every batch, on each machine; without a GPU, so many virtual devices of
        the CPU. What is trained does not depend on it, but for rounding.
    machines
        HOST:PORT of every machine that shares the training, the chief's first; by default as
        TF_CONFIG says, where that is set. See docs/several-machines.md.
    machine
        Which of them this one is, from 0.
    """
    team = start_devices(devices, machines, machine)
    settings, out = begin(settings or Settings(), out, resume, team)
    splits = photos_of(settings)
    if team.is_chief and not resume:
        runs.start_folder(out)
        runs.write_json(
            out / runs.CONFIG, {"settings": asdict(settings), "versions": runs.versions()}
        )
        if settings.start:  # what its weights have cost
            runs.write_json(out / runs.CLOCK, runs.read_clock(Path(settings.start)))
    print(summary(settings, splits), flush=True)
    if team.size > 1:
        print(team.told(), flush=True)
    try:
        with team.together(runs.how_to_resume(out)), team.folder(out) as place, team.scope():
            fit(settings, out, splits, team, place)
        team.part()
        if team.is_chief:
            finish(settings, out, splits["test"])
    except KeyboardInterrupt:
        commandline.stop(f"stopped; {runs.how_to_resume(out)}", 130)
    except OSError as error:  # a full disk, above all
        place, lines = error.filename or out, (error.strerror or str(error)).splitlines()
        raise BadInput(
            f"{place}: {lines[0].lower()}; mend that, then {runs.how_to_resume(out)}"
        ) from None


if __name__ == "__main__":
    commandline.run(train)
