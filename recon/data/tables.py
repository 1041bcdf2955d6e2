"""CSV files as people save them: every cell a text, every row with its number."""

import csv
from collections.abc import Sequence
from pathlib import Path

from recon.errors import BadInput


def read(path: str | Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a CSV file with a header.

    Not by pandas: it would turn a photo named NA into a missing value and 007.jpg's
    folder 007 into 7, and it cuts a row that has a cell too many.

    Args:
        path: the file, UTF-8 with or without a byte order mark, any line ends.
        columns: names that the header must have; others are welcome.

    Returns:
        A row's number as a spreadsheet shows it (the header is row 1) and its cells by
        column, for every row that is not blank.

    Raises:
        BadInput: no such file, not a CSV, a column missing, a row longer or shorter.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (FileNotFoundError, IsADirectoryError):
        raise BadInput(f"{path}: no such file") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path}: not a CSV file in UTF-8 ({error})") from None
    for column in columns:
        if column not in header:
            raise BadInput(f"{path}: row 1 has no column {column}; it needs {', '.join(columns)}")
    table = []
    for number, row in enumerate(rows, start=2):
        if not any(row):
            continue
        if len(row) != len(header):
            raise BadInput(
                f"{path}: row {number} has {len(row)} cells, the header {len(header)}; "
                "put a name with a comma in quotes"
            )
        table.append((number, dict(zip(header, row, strict=True))))
    return table
