"""What the main job prints: steps, what was seen, and the end where a claim does not hold."""

import sys


def say(text: str) -> None:
    """A line at once, as someone may be watching."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def step(number: int, title: str) -> None:
    say(f"\n{number:2}  {title}")


def show(line: str) -> None:
    say(f"      {line}")


def hold(is_so: object, sentence: str) -> None:
    """A claim, with what was seen; the run ends where one does not hold."""
    if not is_so:
        raise SystemExit(f"\nNOT SO: {sentence}")
    show(sentence)
