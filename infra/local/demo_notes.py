"""What is remembered of the demo chain between two starts: its ids, and the keys, which are shown only once."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Self


@dataclass(slots=True)
class DemoNotes:
    """Kept in `path`, readable by its owner only."""

    path: Path
    today: str  # ISO; the history ends before it, also when seeding goes on another day
    chain: str = ""
    hero: str = ""  # the member whom the printed query shows
    keys: dict[str, str] = field(default_factory=dict)  # kind of caller → secret
    done: bool = False

    @classmethod
    def load(cls, path: Path, *, today: date) -> Self:
        """Return what was noted, or new notes that start today."""
        try:
            return cls(path=path, **json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):  # none, or cut short by a crash of the machine
            return cls(path=path, today=today.isoformat())

    def save(self) -> None:
        """Write all of it, or nothing."""
        content = asdict(self)
        del content["path"]
        scratch = self.path.with_suffix(".new")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file, ensure_ascii=False, indent=2)
        scratch.replace(self.path)

    def forget(self, *, today: date) -> None:
        """Start again: the data they are about is gone."""
        self.today, self.chain, self.hero, self.keys, self.done = today.isoformat(), "", "", {}, False
        self.save()
