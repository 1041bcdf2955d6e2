"""Lesson 12, the verdict: what its answers are held against."""

import tempfile
from pathlib import Path

import numpy as np

from recon import metrics, restore, submit
from recon.boxes import Box
from recon.course.broken import lesson_12 as broken
from recon.course.exercise import exercise
from recon.data import photos
from recon.methods import Method


@exercise(
    "12.1",
    metrics.detail,
    minutes=10,
    difficulty=2,
    hints=(
        "A step is the absolute difference of two neighbours: picture[1:] - picture[:-1] has all "
        "those downwards.",
        "It counts where both pixels are missing: mask[1:] * mask[:-1] is 1 there.",
        "Down and to the right, for both photos: a small function of one picture, called twice.",
    ),
)
def detail(answer, expect):
    random = np.random.default_rng(12)
    photo, completed = random.random((2, 6, 5, 2))
    mask = np.zeros((6, 5, 1))
    mask[1:4, 1:4] = 1
    mask[4, 0] = 1  # alone: no neighbour of it is missing

    def slow(picture, counts, power=1, ways=((1, 0), (0, 1)), absolute=abs):
        total = 0.0
        for r, c, channel in np.ndindex(6, 5, 2):
            for down, right in ways:
                below = r + down, c + right
                if below[0] < 6 and below[1] < 5 and counts(mask[r, c, 0], mask[(*below, 0)]):
                    step = absolute(picture[(*below, channel)] - picture[r, c, channel])
                    total += step**power
        return total

    def both(first, second):
        return first and second

    def pair(**how):
        how = {"counts": both, **how}
        return np.array([slow(completed, **how), slow(photo, **how)])

    got = answer(photo, completed, mask)
    expect.type(got, tuple, "Two sums: return one, two.")
    expect.equal(len(got), 2, "Two sums: the completed photo's, and the true one's.")
    counted = "A step counts where both of its pixels are missing."
    signed = pair(absolute=lambda step: step)
    expect.close(
        got,
        pair(),
        "The absolute differences of neighbours in the hole, down and to the right, summed.",
        mistakes=[
            (pair()[::-1], "The completed photo's sum comes first."),
            (pair(counts=lambda first, second: first or second), counted),
            (pair(counts=lambda first, second: first), counted),
            (pair(counts=lambda first, second: second), counted),
            (pair(counts=lambda first, second: True), "Only steps in the hole count."),
            (pair(counts=lambda f, s: not f and not s), "1 is missing: the hole is where it is 1."),
            (pair(ways=((1, 0),)), "Steps to the right count too: along columns."),
            (pair(ways=((0, 1),)), "Steps downwards count too: along rows."),
            (pair(power=2), "Absolute values, not squares: one edge is as much as a slow slope."),
            (signed, "Ups and downs must not cancel: take absolute values."),
            (np.abs(signed), "Take the absolute value of each step, before they are summed."),
        ],
        tolerance=1e-6,
    )
    expect.close(
        answer(photo, photo * 0 + 0.5, mask)[0], 0, "A flat fill has no steps inside the hole."
    )
    small = mask.astype("float32")
    expect.close(
        answer(photo.astype("float32"), completed.astype("float32"), small),
        pair(),
        "Photos in float32 have the same sums.",
        tolerance=1e-4,
    )


@exercise(
    "12.2",
    metrics.bootstrap_ratio,
    minutes=15,
    difficulty=3,
    hints=(
        "One draw is a set of N numbers of photos, with replacement: generator.integers(0, N, N).",
        "The same photos for both methods: squares[photos].sum() over others[photos].sum(), and "
        "its root.",
        "All draws at once: integers(0, N, (draws, N)); then np.quantile(ratios, (0.025, 0.975)).",
    ),
)
def bootstrap_ratio(answer, expect):
    random = np.random.default_rng(5)
    others = random.random(30) + 0.5
    got = answer(4 * others, others)
    expect.type(got, tuple, "Two numbers: return low, high.")
    expect.equal(len(got), 2, "Two numbers: the lower end and the upper one.")
    expect.close(
        got,
        (2, 2),
        "On every photo the one has four times the squares: its RMSE is twice the other's, "
        "whatever is drawn. Both methods must see the same draws.",
        mistakes=[
            ((4, 4), "RMSEs are roots: take the root of the sums' quotient."),
            ((0.5, 0.5), "The first method's over the second's, not the other way round."),
            ((0.25, 0.25), "The first over the second, and its root."),
        ],
    )
    coin = np.repeat([0.0, 1.0], 20)  # a draw's quotient is √(K/40), K binomial (40, ½)
    flat = np.ones(40)
    got = answer(coin, flat, draws=20_000)
    ends = {  # Σ P(K ≤ k): 0.0192 for 13, 0.0403 for 14, 0.0769 for 15
        share: np.sqrt(np.array([low, 40 - low]) / 40)
        for share, low in {0.025: 14, 0.05: 15, 0.005: 12, 0.01: 13, 0: 7}.items()
    }
    expect.close(
        got,
        ends[0.025],
        "95 of 100 draws lie inside: from the quantile 0.025 to 0.975, each draw of N photos.",
        mistakes=[
            (np.sqrt([0.5, 0.5]), "With replacement: a photo may come twice, and another not."),
            (ends[0.025][::-1], "The lower end comes first."),
            (ends[0.05], "5 % on each side leave 90: it is 2.5 % on each."),
            (ends[0.005], "That is 99 %: 95 leave 2.5 on each side."),
            (ends[0.01], "That is 98 %: 95 leave 2.5 on each side."),
            (ends[0.025] ** 2, "Pool the draw's squares and take one root, not photo by photo."),
        ],
        tolerance=1e-3,
    )
    squares = others * (0.5 + random.random(30))
    first = answer(squares, others, seed=3)
    expect.equal(first, answer(squares, others, seed=3), "The same seed draws the same photos.")
    expect.true(
        first != answer(squares, others, seed=4),
        "seeds 3 and 4 give the same interval",
        "The seed decides the draws: np.random.default_rng(seed).",
    )
    low, high = answer(squares, others, draws=1)
    expect.true(low == high, "with one draw the ends differ", "`draws` says how many there are.")
    whole = float(np.sqrt(squares.sum() / others.sum()))
    expect.true(
        first[0] < whole < first[1],
        f"all photos' own quotient, {whole:.3f}, is not inside {first}",
        "Draw from all photos there are: numbers 0 to N - 1.",
    )
    for place in (0, -1):
        one = np.zeros(5)
        one[place] = 1
        expect.true(
            answer(one, np.ones(5))[1] > 0,
            f"photo {place} of 5 is never drawn",
            "Every photo may be drawn, the first and the last too: integers(0, N) ends before N.",
        )
    expect.type(first[0], float, "Python's own numbers: float(...).")
    expect.equal(
        answer([1.0, 1.0], [1.0, 1.0]), (1.0, 1.0), "Lists will do: np.asarray makes arrays."
    )


@exercise(
    "12.3",
    restore.shrink,
    minutes=15,
    difficulty=3,
    hints=(
        "Resize two pictures: the photo with black holes, and the map of what is known, 1 - mask.",
        "Their quotient is the mean of the known pixels; np.maximum(weight, 1e-6) spares a 0 / 0.",
        "The mask is resized too, always with BOX: the part that is missing; more than 0.5 is 1.",
    ),
)
def shrink(answer, expect):
    random = np.random.default_rng(8)
    photo = random.integers(0, 256, (6, 8, 3), "uint8")
    missing = np.zeros((6, 8), bool)
    missing[0:2, 0:3] = True  # all of one small pixel, and half of another
    missing[2:4, 4:6] = [[True, True], [True, False]]  # three of four
    missing[4, 6] = True  # one of four
    photo[missing] = 255  # whatever stands there

    def slow(known_only=True, least=0.5, black=True):
        masked, mask = np.zeros((3, 4, 3)), np.zeros((3, 4, 1))
        for r, c in np.ndindex(3, 4):
            own = photo[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].reshape(4, 3) / 255
            gone = missing[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].reshape(4)
            mask[r, c] = gone.mean() > least
            colour = own[~gone].mean(0) if not gone.all() else 0.0
            dark = (own * ~gone[:, None]).mean(0)
            masked[r, c] = (colour if known_only else dark) * (1 - mask[r, c] * black)
        return masked, mask

    with np.errstate(all="ignore"):
        got = answer(photo, missing, (3, 4))
    expect.type(got, tuple, "Two pictures: return masked, mask.")
    masked, mask = got
    expect.shape(masked, (3, 4, 3), "The masked photo comes first.")
    expect.shape(
        mask,
        (3, 4, 1),
        "One channel: (height, width, 1).",
        mistakes=[((3, 4), "One channel more.")],
    )
    golden, hole = slow()
    expect.close(
        mask,
        hole,
        "A small pixel counts as missing if more than half of it is.",
        mistakes=[
            (slow(least=0)[1], "A hole must not grow: more than half of a pixel, not any of it."),
            (slow(least=0.49)[1], "Exactly half is not more than half: >, not >=."),
            (slow(least=0.9)[1], "A hole must not vanish: more than half, not all of it."),
            (1 - hole, "1 is missing."),
        ],
    )
    expect.finite(masked, "Where nothing is known 0 / 0 is no number: np.maximum(weight, 1e-6).")
    expect.within(masked, 0, 1, "Photos between functions are in [0, 1]: uint8 is divided by 255.")
    expect.close(
        masked,
        golden,
        "The mean of the known pixels under a small one.",
        mistakes=[
            (slow(known_only=False)[0], "The hole's black came in: divide by the share of known."),
            (slow(black=False)[0], "Missing pixels are black in `masked`."),
        ],
    )
    for picture in (masked, mask):
        expect.dtype(picture, "float32", "Photos and masks are float32.")
    same, own = answer(photo, missing, (6, 8))
    expect.close(own[..., 0], missing, "At its own size the mask is the map of what is missing.")
    expect.close(
        same,
        np.where(missing[..., None], 0, photo / 255),
        "At its own size a photo stays as it is, with its holes black.",
    )
    _, mask = answer(photo, missing, (12, 16))
    expect.true(
        set(np.unique(mask)) <= {0, 1},
        "an enlarged mask has values between 0 and 1",
        "A mask is 0 or 1 at every size.",
    )
    expect.close(
        mask[..., 0],
        np.kron(missing, np.ones((2, 2))),
        "The mask is resized with BOX, enlarged too: its outline must not wander.",
    )
    flat, _ = answer(np.full((6, 8, 3), 51, "uint8"), missing, (12, 16))
    expect.close(
        flat,
        np.where(mask, 0, 0.2) * np.ones(3),
        "A photo of one colour keeps it right up to the hole: photo over map, both resized alike.",
    )
    slope = np.repeat(np.arange(8)[None] * 30, 6, 0)[..., None].repeat(3, -1).astype("uint8")
    smooth, _ = answer(slope, np.zeros((6, 8), bool), (12, 16))
    expect.true(
        len(np.unique(np.round(smooth[..., 0], 4))) > 8,
        "an enlarged slope is made of blocks",
        "`resampling` says how: BOX would enlarge in blocks.",
    )


@exercise(
    "12.4",
    submit.completed,
    minutes=15,
    difficulty=2,
    hints=(
        "`restore.at_any_size(method)` takes photos of any size; then go through `info` in steps.",
        "range(0, len(info), BATCH) gives where each part begins; info[start : start + BATCH].",
        "Stack photos and masks, black the boxes out, call the method, and yield one by one.",
    ),
)
def completed(answer, expect):
    random = np.random.default_rng(4)
    with tempfile.TemporaryDirectory() as place:
        folder, info, truth = Path(place), [], {}
        for number in range(18):
            name, size = f"{17 - number}.png", 32
            truth[name] = random.integers(0, 256, (size, size, 3), "uint8")
            photos.write(folder / name, truth[name])  # the boxes are not black in the file
            info.append((name, (Box(number, 2, 9, 9), Box(3, number, 9, 9))))
        calls = []

        def complete(masked, mask):
            calls.append((masked, mask))
            return np.where(mask > 0, 0.1234567, masked).astype("float32")

        items = list(answer(Method("spy", complete), folder, info))
        seen = []

        def small(masked, mask):
            seen.append(mask.shape)
            return masked

        list(answer(Method("small", small, 16), folder, info[:2]))
    expect.equal(len(items), 18, "Every photo once: the last part may be smaller.")
    expect.true(
        max(len(masked) for masked, _ in calls) <= submit.BATCH,
        "all photos were completed at once",
        "BATCH photos at a time: 200 large ones would not fit into memory.",
    )
    expect.true(
        len(calls) < 18,
        "the method was called for each photo alone",
        "Several photos at a time: a network is quicker with a batch.",
    )
    expect.equal(
        [name for name, _, _ in items],
        [name for name, _ in info],
        "In the order of the table: file name, boxes, completed photo.",
    )
    masked, mask = calls[0]
    expect.shape(masked, (None, 32, 32, 3), "The method sees a batch of photos.")
    expect.shape(mask, (None, 32, 32, 1), "The method sees a batch of masks.")
    for number, (name, pair, photo) in enumerate(items):
        expect.equal(pair, info[number][1], "With each photo go its own two boxes.")
        masked = calls[number // submit.BATCH][0][number % submit.BATCH]
        hole = np.zeros((32, 32, 1))
        for row, column, height, width in pair:
            hole[row : row + height, column : column + width] = 1
        expect.close(
            calls[number // submit.BATCH][1][number % submit.BATCH],
            hole,
            "The mask is painted from the photo's own boxes.",
        )
        known = truth[name] / 255 * (1 - hole)
        expect.close(
            masked,
            known,
            "The method sees the photo in [0, 1], black in its boxes.",
            mistakes=[
                (truth[name] / 255, "What the file holds in the boxes must not be seen: 1 - mask."),
                (truth[name] * (1 - hole), "A file has 0 to 255; a method wants [0, 1]."),
            ],
        )
        expect.close(
            photo,
            np.where(hole, 0.1234567, known),
            "What the method says, as it says it: rounded to 8 bits it would score otherwise.",
            tolerance=1e-6,
        )
    expect.true(
        all(shape[1:] == (16, 16, 1) for shape in seen),
        f"a network for 16×16 was given masks {seen[0]}",
        "A network sees photos of its own size alone: restore.at_any_size(method).",
    )


@exercise(
    "12.5",
    broken.catch_unfair,
    minutes=12,
    difficulty=2,
    hints=(
        "A method is any callable: write one that remembers the masks it was given.",
        "Compare two such spies, and look whether both saw the same masks.",
        "assert np.array_equal(seen[0], seen[1]); a list outside of the spy keeps them.",
    ),
)
def catch_unfair(answer, expect):
    expect.catches(
        answer,
        right=[broken.compare_fairly, broken.compare_on_fixed_boxes],
        wrong=[
            (broken.compare, "Each method has boxes of its own there: hold the masks together."),
            (
                broken.compare_by_name,
                "There a method's name decides its boxes: give the two different names.",
            ),
            (
                broken.compare_in_turn,
                "There the same boxes go to other photos: compare masks photo by photo, and give "
                "it several photos.",
            ),
        ],
        hint="It refuses a comparison on equal boxes: ask only that both saw the same masks.",
    )
