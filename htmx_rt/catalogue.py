"""All words that people read, by language, with plural forms; apps may replace any of them.

    words = Catalogue({"en": {"here.count": {"one": "Just you", "other": "{n} readers"}}})
    words.say("de", "here.count", n=3)

A language falls back to its first part ("de-AT" → "de") and then to English, word by word.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from .exceptions import ConfigurationError

FOLDER: Final = Path(__file__).parent / "words"
Word = str | dict[str, str]


@cache
def shipped(lang: str) -> dict[str, Word]:
    """Return the words that come with the kit, or nothing for a language that does not."""
    path = FOLDER / f"{lang}.json"
    if not lang.isalpha() or len(lang) > 3 or not path.exists():
        return {}
    words: dict[str, Word] = json.loads(path.read_text("utf-8"))
    return words


class Catalogue:
    """The words of one app. Raised for a change that has the wrong shape: `ConfigurationError`."""

    def __init__(self, changes: Mapping[str, Mapping[str, Word]] | None = None) -> None:
        self._changes = {lang: dict(words) for lang, words in (changes or {}).items()}
        for lang, words in self._changes.items():
            for name, word in words.items():
                forms = {"other": word} if isinstance(word, str) else word
                if (
                    not isinstance(forms, dict)
                    or "other" not in forms
                    or not all(isinstance(x, str) for x in forms.values())
                ):
                    raise ConfigurationError(
                        f"words[{lang!r}][{name!r}] = {word!r}: give text, or plural forms with at least 'other'."
                    )

    def find(self, lang: str, name: str) -> Word:
        """Return the word `name`. Raised where no language has it: `ConfigurationError`."""
        for code in (lang, lang.partition("-")[0], "en"):
            for words in (self._changes.get(code, {}), shipped(code)):
                if name in words:
                    return words[name]
        raise ConfigurationError(f"There is no word {name!r}. Words: {', '.join(sorted(shipped('en')))}.")

    def say(self, lang: str, word: str, /, *, n: int | None = None, **values: Any) -> str:
        """Return the word `word` with `values` put in; `n` chooses the plural form."""
        found = self.find(lang, word)
        if isinstance(found, dict):
            found = found.get(plural(lang, n or 0), found["other"])
        # Markup stays markup: only what is put in is escaped, never the words.
        text = Markup(found) if any(isinstance(value, Markup) for value in values.values()) else found
        return text.format(n=n, **values)

    def all(self, lang: str, *prefixes: str) -> dict[str, Word]:
        """Return the words whose names begin with one of `prefixes`; for scripts in the page."""
        return {name: self.find(lang, name) for name in sorted(shipped("en")) if name.startswith(prefixes)}

    def attributes(self, lang: str, prefix: str) -> Markup:
        """Return the words that begin with `prefix` as `data-` attributes, for the extension; of plurals each form."""
        parts: list[Markup] = []
        for full, word in self.all(lang, prefix).items():
            name = full.removeprefix(prefix)
            forms = {name: word} if isinstance(word, str) else {f"{name}-{form}": text for form, text in word.items()}
            parts += [Markup(' data-{}="{}"').format(key, text) for key, text in forms.items()]
        return Markup().join(parts)

    def speaking(self, lang: str) -> dict[str, Any]:
        """Return what our templates say words with: `say`, `data`, `lang`."""
        return {"say": partial(self.say, lang), "data": partial(self.attributes, lang), "lang": lang}

    def choose(self, header: str) -> str:
        """Return the first language of an Accept-Language header that there are words in, else English."""
        wanted = (part.partition(";")[0].strip() for part in header[:200].split(","))
        known = (lang for lang in wanted if lang in self._changes or shipped(lang.partition("-")[0]))
        return next(known, "en")


def plural(lang: str, n: int) -> str:
    """Return the plural form of `n` (https://cldr.unicode.org/index/cldr-spec/plural-rules), for whole numbers."""
    code = lang.partition("-")[0]
    if code in ("fr", "pt") and n in (0, 1):
        return "one"
    if code in ("ja", "ko", "zh", "vi", "th", "id"):
        return "other"
    if code in ("ru", "uk") and n % 10 in (1, 2, 3, 4) and n % 100 not in (11, 12, 13, 14):
        return "one" if n % 10 == 1 else "few"
    if code == "pl" and n != 1:
        return "few" if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else "many"
    if code == "cs" and n in (2, 3, 4):
        return "few"
    return "one" if n == 1 else "other"
