"""CSV tables (RFC 4180, UTF-8) with the line on which each row begins."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence

from twin.model.load.fields import Fields, nearest
from twin.model.load.text import Faults, Text


def parse_table(
    text: Text, faults: Faults, columns: Sequence[str], optional: Collection[str] = ()
) -> Iterator[Fields]:
    """Each row under the header; cells are stripped. All of `columns` must stand in the header,

    except the `optional` ones. Rows that do not fit the header are faults and left out.
    """
    reader = csv.reader(io.StringIO(text.content, newline=""), strict=True)
    header: list[str] | None = None
    start = 1
    try:
        while True:
            start = reader.line_num + 1
            cells = [cell.strip() for cell in next(reader)]
            if not any(cells):
                continue
            if header is None:
                header = cells
                if not _header_fits(text.file, start, header, columns, optional, faults):
                    return
            elif len(cells) != len(header):
                faults.add(
                    text.file,
                    start,
                    ",".join(cells),
                    f"{len(cells)} cells where the header has {len(header)}",
                    'Check the commas; a cell that holds a comma stands in double quotes: "a,b".',
                )
            else:
                yield _row(faults, text.file, dict(zip(header, cells, strict=True)), start)
    except StopIteration:
        pass
    except csv.Error as problem:
        faults.add(
            text.file,
            start,
            "",
            f"not valid CSV: {problem}",
            "Close every double quote; write a quote inside a cell twice.",
        )
    if header is None:
        faults.add(text.file, 1, "", "the table is empty", f"Begin with: {','.join(columns)}")


def _row(faults: Faults, file: str, values: dict[str, str], line: int) -> Fields:
    return Fields(faults, file, values, lambda _key: line)


def _header_fits(
    file: str,
    line: int,
    header: list[str],
    columns: Sequence[str],
    optional: Collection[str],
    faults: Faults,
) -> bool:
    fits = True
    for column in columns:
        if column not in header and column not in optional:
            fits = False
            mend = f"The header is: {','.join(columns)}"
            faults.add(file, line, column, f"the column {column} is missing", mend)
    for position, column in enumerate(header):
        if column not in columns:
            fits = False
            mend = nearest(column, columns) or f"The header is: {','.join(columns)}"
            faults.add(file, line, column, "this column is not known", mend)
        elif column in header[:position]:
            fits = False
            faults.add(file, line, column, "the same column twice", "Keep one of the two.")
    return fits
