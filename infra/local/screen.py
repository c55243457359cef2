"""What is seen of a run: each process's lines in a colour of its own, and what the supervisor has to tell."""

from rich.console import Console
from rich.text import Text

COLOURS = {"gateway": "cyan", "members": "green", "points": "yellow", "campaigns": "magenta", "feedback": "blue"}
LEVELS = {"WARNING": "bold yellow", "ERROR": "bold red", "CRITICAL": "bold red"}


class Screen:
    """The terminal; a file or pipe gets the same lines without colours."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def say(self, line: str) -> None:
        """Show a line of the supervisor's own."""
        self._console.print(Text(f"huitou    │ {line}", style="bold"), soft_wrap=True)

    def plain(self, text: str) -> None:
        """Show text as it is."""
        self._console.print(Text(text), soft_wrap=True)

    def show(self, name: str, line: str) -> None:
        """Show a line of a process behind its name; warnings and errors stand out."""
        text = Text(f"{name:<9} │ ", style=COLOURS.get(name, "white"))
        # The house's log lines (services/kit/logs) name the service once more after time and level.
        level = next((style for word, style in LEVELS.items() if f" {word} " in f"{line[:30]} "), "")
        text.append(line.replace(f" {name:<9} ", " ", 1), style=level or "default")
        self._console.print(text, soft_wrap=True)
