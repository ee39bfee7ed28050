"""Texts that look like regexes, from a seed: most are ones, many are nearly ones. Judges none of them."""

from __future__ import annotations

from random import Random

PLAIN = "ab/09 -_.,:=!&~#%@^$|"
WRITTEN = (
    *PLAIN, ".", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\b", "\\B", "\\A", "\\z", "\\n", "\\.", "\\-", "\\]", "\\{",
    "\\~", "\\&", "\\/", '\\"', "\\<", "\\e", "\\1", "(?i)", "(?is)", "(?ii)", "(?-i)", "(?si)", "()", "(|)", "^", "$", "||",
)  # fmt: skip
MEMBERS = (
    "a", "z", "0", "9", "-", "--", "&&", "~~", "+", "!", "[", "^", "]", "[:alpha:]", "[:^digit:]", "[:foo:]", "\\d", "\\W",
    "\\]", "\\-", "\\n", "\\b", ",", "/", "a-z", "+--", "A-[", ".", "&", "~", "!-&",
)  # fmt: skip
REPEATS = (
    "*", "+", "?", "*?", "+?", "??", "{2}", "{2,}", "{0}", "{0,3}", "{2,5}?", "{,3}", "{5,2}", "{50}", "{400}", "**", "{}",
)  # fmt: skip
OPENINGS = ("(", "(", "(?:", "(?P<n>", "(?<n>", "(?i:", "(?si:", "(?ii:", "(?=", "(?P<n1>")


def regex_of(random: Random, size: int = 12) -> str:
    """One text; of a larger size it is deeper as well as longer."""
    parts: list[str] = []
    for _ in range(random.randint(1, 4)):
        kind = random.random()
        if size > 1 and kind < 0.3:
            made = f"{random.choice(OPENINGS)}{regex_of(random, size - 1)})"
        elif kind < 0.45:
            made = _class(random)
        else:
            made = random.choice(WRITTEN)
        if random.random() < 0.3:
            made += random.choice(REPEATS)
        parts.append(made)
    return ("|" if random.random() < 0.15 else "").join(parts)


def deep_of(random: Random) -> str:
    """Brackets in brackets, near to what is taken."""
    made = "a"
    for _ in range(random.randint(5, 34)):
        made = random.choice(("({})", "({})*", "(?:{}|b)", "(a{})+", "({})")).format(made)
    return made


SMALL = (
    "a",
    "[a-z]",
    "\\w",
    "\\W",
    ".",
    "[^/]",
    "(?i:k)",
    "(?is)[^a-z]",
    "(a|b)",
    "\\b",
    "[0-9A-Fa-f]",
)


def large_of(random: Random) -> str:
    """Repetitions of repetitions, near to what is taken."""
    made = random.choice(SMALL) if random.random() < 0.7 else regex_of(random, 3)
    for _ in range(random.randint(1, 3)):
        made = f"({made}){{{random.choice((2, 3, 10, 40, 100, 300, 500, 900))}}}"
    return made


def _class(random: Random) -> str:
    members = "".join(random.choice(MEMBERS) for _ in range(random.randint(1, 5)))
    return f"[{random.choice(('', '', '^'))}{members}]"
