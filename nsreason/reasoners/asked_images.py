"""Which image file of a folder each question of a file is about."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from ..data.image_folder import ImageFolder
from ..data.image_names import number_at_end
from ..data.questions import QuestionRecord
from ..data.records import BadRecord
from ..errors import DataError
from ..io.images import ENDINGS

Asked = QuestionRecord | BadRecord


class AskedImages:
    """The images of a folder by the questions of a file: by file name, or else by the number at its end."""

    def __init__(self, records: Iterable[Asked], folder: str | Path) -> None:
        """Look the images of all questions up together.

        Raises:
            DataError: there is no such folder, or no image in it.
        """
        self.files = ImageFolder(folder)
        if not self.files.folder.is_dir():
            raise DataError(f"{folder}: there is no such folder")
        if not len(self.files):
            raise DataError(f"{self.files.folder}: no image in this folder (names end in {', '.join(ENDINGS)})")
        questions = (r for r in records if isinstance(r, QuestionRecord))
        names = list(dict.fromkeys(r.image_filename for r in questions if r.image_filename is not None))
        self._named = dict(zip(names, self.files.paths(names), strict=True))
        self._names = dict(zip(self.files.files, self.files.names, strict=True))
        self._numbered: dict[int, Path | DataError] = {}
        for path in self.files.files:
            number = number_at_end(path.name)
            if number is not None:
                both = DataError(f"{self.files.folder}: several images have the number {number}; name images by file")
                self._numbered[number] = both if number in self._numbered else path

    def of(self, record: QuestionRecord) -> Path | DataError:
        """The file that a question is about, or why there is none."""
        if record.image_filename is not None:
            return self._named[record.image_filename]
        path = None if record.image_index is None else self._numbered.get(record.image_index)
        return DataError(f"{self.files.folder}: no image number {record.image_index}") if path is None else path

    def name(self, path: Path) -> str:
        """A file's name, with the folders below the one that was given."""
        return self._names[path] or path.name

    def shown(self) -> str:
        """How many images there are, and some of their names."""
        names = ", ".join(str(name) for name in itertools.islice(self.files.names, 3))
        return f"{len(self.files):,} ({names}, ...)"
