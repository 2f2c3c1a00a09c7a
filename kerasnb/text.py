"""
Text into numbers: sentences are cut into words, words are numbered, rows are counted.

A `Tokenizer` numbers the words of a collection by frequency and turns texts into lists
of numbers, or into rows of a matrix with one column a word. Hashing needs no collection
but lets words share a number. Read next: `pad_sequences` in `preprocessing.py`, which
makes the lists equally long.
"""

from __future__ import annotations

import functools
import hashlib
import json
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .renames import bilingual
from .utils import lookup, positive_integer

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
ARGUMENTS = ("num_words", "filters", "lower", "split", "char_level", "oov_token")
TABLES = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
MODES: dict[str, Callable[..., Any]] = {
    "binary": lambda counts, length, rarity: 1.0,
    "count": lambda counts, length, rarity: counts,
    "freq": lambda counts, length, rarity: counts / length,
    "tfidf": lambda counts, length, rarity: (1 + np.log(counts)) * rarity,
}


def text_to_word_sequence(
    text: str, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """
    Cut a text into words.

    Parameters
    ----------
    text : str
    filters : str
        Characters that part words as `split` does: punctuation, but no apostrophe.
    lower : bool
        Whether capitals become small letters.
    split : str
        What stands between words.

    Raises
    ------
    TypeError
        If the text is no string, or `filters` are no characters.
    ValueError
        If `split` is empty.

    Examples
    --------
    >>> text_to_word_sequence("The cat's hat; the hat.")
    ['the', "cat's", 'hat', 'the', 'hat']
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a string, got {text!r}.")
    if not isinstance(split, str) or not split:
        raise ValueError(f"split: expected a string between words, got {split!r}.")
    try:
        parting = dict.fromkeys(map(ord, filters), split)
    except TypeError:
        raise TypeError(
            f"filters: expected a string of characters, got {filters!r}. An empty "
            "string filters nothing."
        ) from None
    if lower:
        text = text.lower()
    text = text.translate(parting)
    return [word for word in text.split(split) if word]


def one_hot(
    text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[int]:
    """
    Turn the words of a text into numbers from 1 to n - 1 by hashing.

    It is `hashing_trick` with the default hash; the name is Keras's. The numbers are
    the same in every process, and different words may share one.

    Parameters
    ----------
    text, filters, lower, split
        As in `text_to_word_sequence`.
    n : int
        The numbers lie below n.

    Examples
    --------
    >>> one_hot("the cat the hat", 50)
    [43, 32, 43, 39]
    """
    return hashing_trick(text, n, None, filters, lower, split)


def hashing_trick(
    text: str,
    n: int,
    hash_function: str | Callable[[str], int] | None = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
) -> list[int]:
    """
    Turn the words of a text into numbers from 1 to n - 1: hash(word) % (n - 1) + 1.

    Parameters
    ----------
    text, filters, lower, split
        As in `text_to_word_sequence`.
    n : int
        At least 2; the numbers lie below it. 0 is never given.
    hash_function : None, 'md5' or callable
        None is 'md5', which gives the same numbers in every process and on every
        machine; Python's own `hash` does not. A callable maps a word to an integer.

    Raises
    ------
    ValueError
        If n is below 2 or the hash is unknown.
    TypeError
        If a callable returns no integer.

    Examples
    --------
    >>> hashing_trick("the cat the hat", 50, len)
    [4, 4, 4, 4]
    """
    if positive_integer(n, "n") < 2:
        raise ValueError(f"n: expected at least 2, as 0 is never given, got {n}.")
    if callable(hash_function):
        code = hash_function
    else:
        name = "md5" if hash_function is None else hash_function
        code = lookup(name, {"md5": md5}, "hash function")
    words = text_to_word_sequence(text, filters, lower, split)
    return [_whole(code(word)) % (int(n) - 1) + 1 for word in words]


def md5(word: str) -> int:
    """Return the MD5 digest of a word as a number."""
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


def _whole(code: Any) -> int:
    try:
        return operator.index(code)
    except TypeError:
        raise TypeError(
            f"hash_function: expected it to return an integer, got {code!r}."
        ) from None


class Tokenizer:
    """
    Number the words of a collection of texts; the commonest word is 1, and 0 is nobody.

    A text is a string, or a list of words that are cut already.

    Parameters
    ----------
    num_words : int, optional
        Only numbers below it are given out, so the num_words - 1 commonest words are
        kept; default: all words.
    filters, lower, split
        As in `text_to_word_sequence`; `filters` and `split` are not used on characters.
    char_level : bool
        Whether every character is a word.
    oov_token : str, optional
        A word, number 1, that stands for all words that are unknown or rarer than
        `num_words` allows; default: they are left out.

    Attributes
    ----------
    word_counts : dict
        How often each word occurs.
    word_docs, index_docs : dict
        In how many texts each word, or each number, occurs.
    word_index, index_word : dict
        The number of each word, also of the rare ones, and the other way round.
    document_count : int
        How many texts were counted.

    Examples
    --------
    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["the cat sat", "the cat ate the rat"])
    >>> tokenizer.texts_to_sequences(["The rat sat."])
    [[1, 5, 3]]
    """

    @functools.partial(bilingual, constructs=True)
    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
    ) -> None:
        if num_words is not None:
            num_words = positive_integer(num_words, "num_words")
        if oov_token is not None and not isinstance(oov_token, str):
            raise TypeError(f"oov_token: expected a string, got {oov_token!r}.")
        text_to_word_sequence("", filters, lower, split)  # refuses wrong options
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.word_counts: dict[str, int] = {}
        self.word_docs: dict[str, int] = {}
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}
        self.index_docs: dict[int, int] = {}
        self.document_count = 0

    # ---- counting ----

    def fit_on_texts(self, texts: Iterable[str | list[str]]) -> None:
        """
        Count the words of the texts, on top of former ones, and number them anew.

        Words that are equally frequent are numbered in the order of their first
        occurrence. `index_docs` is made anew from the texts counted here.

        Parameters
        ----------
        texts : iterable of texts

        Raises
        ------
        TypeError
            If `texts` is a single string, or a text is neither string nor list.
        """
        counts, docs, documents = Counter(self.word_counts), Counter(self.word_docs), 0
        for text in _collection("fit_on_texts", texts):
            words = self._words(text)
            counts.update(words)
            docs.update(dict.fromkeys(words, 1))
            documents += 1
        self.word_counts, self.word_docs = dict(counts), dict(docs)
        self.document_count += documents
        self._number_words()

    def _number_words(self) -> None:
        counts = self.word_counts
        ranked = sorted(counts, key=counts.__getitem__, reverse=True)
        if self.oov_token is not None:
            ranked = [self.oov_token, *(w for w in ranked if w != self.oov_token)]
        self.index_word = dict(enumerate(ranked, 1))
        self.word_index = {word: index for index, word in self.index_word.items()}
        docs = self.word_docs.items()
        self.index_docs = {self.word_index[word]: count for word, count in docs}

    def fit_on_sequences(self, sequences: Iterable[Iterable[int]]) -> None:
        """
        Count in how many lists of numbers each number occurs, for `tfidf` rows.

        It is not needed after `fit_on_texts`.

        Parameters
        ----------
        sequences : iterable of lists of word numbers
        """
        docs, documents = Counter(self.index_docs), 0
        for sequence in _collection("fit_on_sequences", sequences):
            docs.update(set(_numbers(sequence).tolist()))
            documents += 1
        self.index_docs = dict(docs)
        self.document_count += documents

    def _words(self, text: str | list[str]) -> list[str]:
        if isinstance(text, str):
            if not self.char_level:
                return text_to_word_sequence(text, self.filters, self.lower, self.split)
            return list(text.lower() if self.lower else text)
        is_list = isinstance(text, (list, tuple))
        if not is_list or not all(isinstance(word, str) for word in text):
            raise TypeError(
                f"Tokenizer: expected a text or a list of words, got {text!r}."
            )
        return [word.lower() for word in text] if self.lower else list(text)

    # ---- texts and numbers ----

    def texts_to_sequences(self, texts: Iterable[str | list[str]]) -> list[list[int]]:
        """
        Return the numbers of the words of each text.

        Raises
        ------
        ValueError
            If no words are known yet.

        Examples
        --------
        >>> tokenizer = Tokenizer(num_words=3, oov_token="?")
        >>> tokenizer.fit_on_texts(["a a a b b c"])
        >>> tokenizer.texts_to_sequences(["a b c d"])
        [[2, 1, 1, 1]]
        """
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(
        self, texts: Iterable[str | list[str]]
    ) -> Iterator[list[int]]:
        """Yield the numbers of the words of each text, one text at a time."""
        self._check_fitted()
        texts = _collection("texts_to_sequences", texts)
        return (self._encode(self._words(text)) for text in texts)

    def _encode(self, words: list[str]) -> list[int]:
        oov = self._oov_index()
        numbers = []
        for word in words:
            index = self.word_index.get(word)
            known = index is not None and not self._is_rare(index)
            numbers.append(index if known else oov)
        return [index for index in numbers if index is not None]

    def _oov_index(self) -> int | None:
        if self.oov_token is None:
            return None
        return self.word_index.get(self.oov_token)

    def _is_rare(self, index: int) -> bool:
        return self.num_words is not None and index >= self.num_words

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """
        Return the words of each list of numbers, joined by blanks.

        A number that has no word, be it 0 or too high, becomes the `oov_token`, or is
        left out if there is none.

        Examples
        --------
        >>> tokenizer = Tokenizer()
        >>> tokenizer.fit_on_texts(["the cat sat"])
        >>> tokenizer.sequences_to_texts([[2, 3], [0, 1]])
        ['cat sat', 'the']
        """
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(
        self, sequences: Iterable[Iterable[int]]
    ) -> Iterator[str]:
        """Yield the words of each list of numbers, one list at a time."""
        self._check_fitted()
        sequences = _collection("sequences_to_texts", sequences)
        return (self._decode(_numbers(sequence)) for sequence in sequences)

    def _decode(self, numbers: np.ndarray) -> str:
        words = (
            self.oov_token if self._is_rare(index) else self._word(index)
            for index in numbers.tolist()
        )
        return " ".join(word for word in words if word is not None)

    def _word(self, index: int) -> str | None:
        return self.index_word.get(index, self.oov_token)

    def _check_fitted(self) -> None:
        if not self.word_index:
            raise ValueError(
                "Tokenizer: no words are known yet. Call fit_on_texts first."
            )

    # ---- matrices ----

    def texts_to_matrix(
        self, texts: Iterable[str | list[str]], mode: str = "binary"
    ) -> np.ndarray:
        """
        Return a matrix with a row for each text and a column for each word number.

        Parameters
        ----------
        texts : iterable of texts
        mode : {'binary', 'count', 'freq', 'tfidf'}
            As in `sequences_to_matrix`.
        """
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(
        self, sequences: Iterable[Iterable[int]], mode: str = "binary"
    ) -> np.ndarray:
        """
        Return a matrix with a row for each list and a column for each word number.

        Numbers from `num_words` on have no column.

        Parameters
        ----------
        sequences : iterable of lists of word numbers
        mode : {'binary', 'count', 'freq', 'tfidf'}
            What a row says about a word that occurs `count` times: 1; count; count /
            length of the list; (1 + log(count)) log(1 + D / (1 + d)) where d of the D
            texts counted so far hold the word.

        Returns
        -------
        float64 array of shape (lists, num_words)

        Raises
        ------
        ValueError
            If the mode is unknown, a number is negative, or the columns, or the
            documents for 'tfidf', are not known yet.

        Examples
        --------
        >>> Tokenizer(num_words=4).sequences_to_matrix([[1, 3, 3]], mode="count")
        array([[0., 1., 0., 2.]])
        """
        weigh = lookup(mode, MODES, "mode")
        columns = self._columns()
        if mode == "tfidf" and not self.document_count:
            raise ValueError(
                "Tokenizer: mode 'tfidf' needs counted documents. Call fit_on_texts or "
                "fit_on_sequences first."
            )
        docs = np.array([self.index_docs.get(index, 0) for index in range(columns)])
        rarity = np.log(1 + self.document_count / (1 + docs))
        lists = [_numbers(s) for s in _collection("sequences_to_matrix", sequences)]
        matrix = np.zeros((len(lists), columns))
        for row, numbers in zip(matrix, lists):
            counts = np.bincount(numbers[numbers < columns], minlength=columns)
            there = np.flatnonzero(counts)
            row[there] = weigh(counts[there], len(numbers), rarity[there])
        return matrix

    def _columns(self) -> int:
        if self.num_words is not None:
            return self.num_words
        if not self.word_index:
            raise ValueError(
                "Tokenizer: the number of columns is not known. Give num_words, or "
                "call fit_on_texts first."
            )
        return len(self.word_index) + 1

    # ---- configuration ----

    def get_config(self) -> dict[str, Any]:
        """Return arguments and counts; dictionaries as JSON, as Keras writes them."""
        config = {name: getattr(self, name) for name in (*ARGUMENTS, "document_count")}
        return {**config, **{name: json.dumps(getattr(self, name)) for name in TABLES}}

    def to_json(self, **options: Any) -> str:
        """Return all that `tokenizer_from_json` needs; options go to `json.dumps`."""
        config = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(config, **options)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """
    Return the Tokenizer that `to_json`, here or in Keras, has written down.

    Raises
    ------
    ValueError
        If the text is no such JSON.

    Examples
    --------
    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["the cat sat"])
    >>> tokenizer_from_json(tokenizer.to_json()).word_index
    {'the': 1, 'cat': 2, 'sat': 3}
    """
    try:
        config = json.loads(json_string)["config"]
        tokenizer = Tokenizer(**{name: config[name] for name in ARGUMENTS})
        tokenizer.document_count = int(config["document_count"])
        for name in TABLES:
            table = json.loads(config[name])
            if name.startswith("index_"):  # JSON writes numbers as text
                table = {int(index): value for index, value in table.items()}
            setattr(tokenizer, name, dict(table))
    except (ValueError, TypeError, KeyError, AttributeError) as reason:
        raise ValueError(
            "tokenizer_from_json: expected what Tokenizer.to_json returns, got "
            f"something else ({type(reason).__name__}: {reason})."
        ) from reason
    return tokenizer


def _collection(what: str, texts: Any) -> Any:
    """Refuse a single text where a collection is needed: its letters would be texts."""
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise TypeError(
            f"{what}: expected a list, got {texts!r}. Put a single one into brackets, "
            "as in ['one text']."
        )
    return texts


def _numbers(sequence: Any) -> np.ndarray:
    """Return a list of word numbers as an int64 vector."""
    try:
        numbers = np.asarray(list(sequence))
    except (TypeError, ValueError):
        numbers = np.empty((1, 1))
    if numbers.size == 0:
        return np.empty(0, np.int64)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or numbers.min() < 0:
        raise ValueError(
            f"Tokenizer: expected a list of word numbers from 0, got {sequence!r}."
        )
    return numbers.astype(np.int64)
