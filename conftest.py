"""Lessons under pytest, `pytest --nbval lessons/` or any folder of notebooks below this one.

A cell is red if it fails, and a check if its answer is wrong; what a notebook's saved outputs say
does not count. Without --nbval nothing here does anything.
"""

import json
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

LOG = "RECON_COURSE_LOG"  # as in recon.course.progress: kernels write a line per verdict
SECONDS = 1200  # until a cell is given up: on a busy machine all takes longer

checks = pytest.StashKey[dict[str, tuple[str, str]]]()  # test -> exercise id and name
own_log = pytest.StashKey[str]()
refused = pytest.StashKey[list[str]]()  # exercises of a notebook that came out red

VERDICTS = ("○", "✗")  # how recon.course.notebook begins one
ANSI = re.compile(r"\x1b\[[0-9;]*m")  # colours


def pytest_configure(config):
    if not (config.getoption("nbval", False) or config.getoption("nbval_lax", False)):
        return
    config.option.nbval_lax = True  # compare no outputs
    if not config.option.nbval_kernel_name:
        config.option.nbval_current_env = True
    if config.option.nbval_cell_timeout == 2000:  # nbval's default
        config.option.nbval_cell_timeout = SECONDS
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    config.stash[checks] = {}
    if LOG not in os.environ:
        number, os.environ[LOG] = tempfile.mkstemp(prefix="recon-verdicts-")
        os.close(number)
        config.stash[own_log] = os.environ[LOG]


def pytest_unconfigure(config):
    if own_log in config.stash:
        os.environ.pop(LOG, None)
        Path(config.stash[own_log]).unlink(missing_ok=True)


def pytest_collection_modifyitems(config, items):
    if checks not in config.stash:
        return
    for item in items:
        cell = getattr(item, "cell", None)  # nbval's items have one
        if cell is None:
            continue
        cell.outputs = []  # nbval minds outputs without an execution count
        id = cell.metadata.get("recon", {}).get("check")
        if id is not None:
            name = cell.source.partition("=")[0].strip()
            config.stash[checks][item.nodeid] = (str(id), name)
            item.options["check_exception"] = False  # no tag hides a wrong answer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A verdict as it is; what fails only because of an answer above it, in two lines."""
    report = yield
    error = call.excinfo and call.excinfo.value
    traceback = getattr(error, "inner_traceback", None)
    if checks not in item.config.stash or report.when != "call" or traceback is None:
        return report
    told = ANSI.sub("", traceback).strip()
    last = str(error) if "Timeout" in str(error) else told.splitlines()[-1]
    earlier = item.parent.stash.setdefault(refused, [])
    ids = list(item.cell.metadata.get("recon", {}).values())  # an exercise's own cells
    if told.startswith(VERDICTS):
        report.longrepr = told
    elif earlier:
        report.longrepr = f"{last}\nperhaps because of {earlier[-1]} above"
    else:
        report.longrepr = f"{last}\n\n{item.cell.source}\n\n{told}"
    earlier += ids
    return report


def verdicts(file: str) -> dict[str, str]:
    """exercise id -> the last verdict on it."""
    states = {}
    with suppress(OSError):
        for line in Path(file).read_text("utf-8").splitlines():
            with suppress(ValueError):  # a kernel that was killed while it wrote
                verdict = json.loads(line)
                states[verdict["id"]] = verdict["state"]
    return states


def place(id: str) -> list[int]:
    """`4.10` comes after `4.2`."""
    return [int(number) for number in re.findall(r"\d+", id)]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter, config):
    """Say in a last line how far the course is."""
    result = yield
    stats = terminalreporter.stats
    failed = {report.nodeid for report in stats.get("failed", [])}
    ran = failed | {report.nodeid for report in stats.get("passed", [])}
    asked = {t: exercise for t, exercise in config.stash.get(checks, {}).items() if t in ran}
    if not asked:
        return result
    said = verdicts(os.environ[LOG])
    # A check that fails before it comes to a verdict has no answer to judge: a typing error.
    states = {id: said.get(id, "wrong" if t in failed else "blank") for t, (id, _) in asked.items()}
    right, wrong, blank = (list(states.values()).count(s) for s in ("right", "wrong", "blank"))
    line = f"course: {right} right, {wrong} wrong, {blank} to do"
    left = [exercise for exercise in asked.values() if states[exercise[0]] != "right"]
    if left:
        line += "; next: {} {}".format(*min(left, key=lambda exercise: place(exercise[0])))
    terminalreporter.write_line(line)
    return result
