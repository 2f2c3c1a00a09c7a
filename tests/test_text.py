"""Text: words, hashes, and a Tokenizer against plain counting."""

import hashlib
import json
import math
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasnb.text import (
    Tokenizer,
    hashing_trick,
    one_hot,
    text_to_word_sequence,
    tokenizer_from_json,
)

TEXTS = ["The cat sat on the mat.", "The dog sat!", "a dog; a dog"]
MODES = ["binary", "count", "freq", "tfidf"]

words = st.sampled_from(["ant", "bee", "cat", "dog", "eel", "fox"])
cut_texts = st.lists(st.lists(words, max_size=8), min_size=1, max_size=6)


def fitted(texts=TEXTS, **options):
    tokenizer = Tokenizer(**options)
    tokenizer.fit_on_texts(texts)
    return tokenizer


def plain_index(texts, oov=None):
    """Words by frequency, then by first occurrence, numbered from 1."""
    flat = [word for text in texts for word in text]
    ranked = sorted(set(flat), key=lambda word: (-flat.count(word), flat.index(word)))
    ranked = ([] if oov is None else [oov]) + [word for word in ranked if word != oov]
    return {word: place + 1 for place, word in enumerate(ranked)}


def plain_matrix(lists, columns, mode, documents, docs):
    """One number after the other, as the definitions say."""
    matrix = np.zeros((len(lists), columns))
    for row, numbers in zip(matrix, lists):
        for index, count in Counter(numbers).items():
            if index < columns:
                row[index] = {
                    "binary": 1,
                    "count": count,
                    "freq": count / len(numbers),
                    "tfidf": (1 + math.log(count))
                    * math.log(1 + documents / (1 + docs.get(index, 0))),
                }[mode]
    return matrix


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    "text, options, expected",
    [
        ("The cat's hat, the hat.", {}, ["the", "cat's", "hat", "the", "hat"]),
        ("The Cat", {"lower": False}, ["The", "Cat"]),
        ("a-b_c\td\ne  f", {}, ["a", "b", "c", "d", "e", "f"]),
        ("a-b c.", {"filters": ""}, ["a-b", "c."]),
        ("a-b c", {"filters": "b"}, ["a-", "c"]),
        ("a-b c", {"filters": ["-", "c"]}, ["a", "b"]),
        ("one, two,three", {"filters": " ", "split": ","}, ["one", "two", "three"]),
        ("a::b:c", {"filters": "", "split": "::"}, ["a", "b:c"]),
        ("a.b::c", {"filters": ".", "split": "::"}, ["a", "b", "c"]),
        ("Über-Ärger", {}, ["über", "ärger"]),
        ("", {}, []),
        (" .,; ", {}, []),
    ],
)
def test_words_are_what_stands_between_filters_and_blanks(text, options, expected):
    """Filters part words, apostrophes do not, empty words are left out."""
    assert text_to_word_sequence(text, **options) == expected


def test_punctuation_tab_and_newline_are_filtered():
    """All of ASCII's punctuation but the apostrophe."""
    kept = [c for c in map(chr, range(33, 127)) if text_to_word_sequence(c)]
    assert [c for c in kept if not c.isalnum()] == ["'"]


# ---------------------------------------------------------------- hashing


@given(st.lists(words), st.integers(2, 20))
def test_hashed_words_are_numbers_from_one_below_n(text, n):
    """Each word by itself: the digest modulo n - 1, plus one."""
    numbers = one_hot(" ".join(text), n)
    digests = [hashlib.md5(word.encode()).hexdigest() for word in text]
    assert numbers == [int(digest, 16) % (n - 1) + 1 for digest in digests]
    assert numbers == hashing_trick(" ".join(text), n, "md5")
    assert all(1 <= number < n for number in numbers)


def test_hashing_takes_a_function():
    """A negative hash is good too: the remainder is not negative."""
    assert hashing_trick("a bb ccc", 4, len) == [2, 3, 1]
    assert hashing_trick("a bb ccc", 4, lambda word: -len(word)) == [3, 2, 1]
    assert one_hot("A.B a_b", 9, filters=".", lower=False) == hashing_trick(
        "A B a_b", 9, None, "", False
    )


def test_the_default_hash_is_the_same_in_every_process():
    """Python's seed for strings plays no part."""
    code = (
        "from kerasnb.text import one_hot, hashing_trick as trick\n"
        "print(one_hot('the cat', 9999), trick('the cat', 9999))"
    )
    for seed in "12":
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True
        )
        here = one_hot("the cat", 9999)
        assert done.stdout.strip() == f"{here} {here}", done.stderr


# ---------------------------------------------------------------- numbers of words


def test_words_are_numbered_by_frequency_by_hand():
    """the 3, dog 3, sat 2, a 2, then words that occur once; ties: first come first."""
    tokenizer = fitted()
    assert tokenizer.word_index == {
        **{"the": 1, "dog": 2, "sat": 3, "a": 4},
        **{"cat": 5, "on": 6, "mat": 7},
    }
    assert tokenizer.word_counts == {
        **{"the": 3, "cat": 1, "sat": 2, "on": 1, "mat": 1},
        **{"dog": 3, "a": 2},
    }
    assert tokenizer.word_docs == {
        **{"the": 2, "cat": 1, "sat": 2, "on": 1, "mat": 1},
        **{"dog": 2, "a": 1},
    }
    assert tokenizer.index_docs == {1: 2, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1, 7: 1}
    assert tokenizer.index_word[1] == "the" and tokenizer.document_count == 3
    assert tokenizer.texts_to_sequences(["The dog and the mat"]) == [[1, 2, 1, 7]]
    assert tokenizer.sequences_to_texts([[1, 2, 7], [], [0, 9]]) == [
        "the dog mat",
        "",
        "",
    ]


def test_num_words_keeps_the_numbers_below_it():
    """num_words=4 gives out 1, 2 and 3; word_index still knows all words."""
    tokenizer = fitted(num_words=4)
    assert tokenizer.texts_to_sequences(["the dog sat on a mat"]) == [[1, 2, 3]]
    assert len(tokenizer.word_index) == 7
    assert tokenizer.sequences_to_texts([[1, 4, 3]]) == ["the sat"]


def test_the_oov_token_is_number_one_and_stands_for_the_rest():
    """Unknown words and words that num_words leaves out become it."""
    tokenizer = fitted(num_words=4, oov_token="?")
    assert tokenizer.word_index["?"] == 1 and tokenizer.word_index["the"] == 2
    assert tokenizer.texts_to_sequences(["the dog sat on mars"]) == [[2, 3, 1, 1, 1]]
    assert tokenizer.sequences_to_texts([[2, 1, 0, 5]]) == ["the ? ? ?"]
    assert 1 not in tokenizer.index_docs


def test_an_oov_token_that_occurs_in_the_texts_stays_number_one():
    """It is counted, but not numbered twice."""
    tokenizer = fitted(["b a a"], oov_token="a")
    assert tokenizer.word_index == {"a": 1, "b": 2}
    assert tokenizer.texts_to_sequences(["b c a"]) == [[2, 1, 1]]


def test_characters_can_be_words():
    """At character level nothing is filtered; lists are taken as they are cut."""
    tokenizer = fitted(["Aab."], char_level=True)
    assert tokenizer.word_index == {"a": 1, "b": 2, ".": 3}
    assert tokenizer.texts_to_sequences(["B.a", ["b", "A"]]) == [[2, 3, 1], [2, 1]]
    tokenizer = fitted(["Aab"], char_level=True, lower=False)
    assert tokenizer.word_index == {"A": 1, "a": 2, "b": 3}


def test_lists_of_words_are_not_cut_again():
    """They may hold blanks and punctuation, and are lowered like texts."""
    tokenizer = fitted([["New York", "is"], ("new york", "!")])
    assert tokenizer.word_index == {"new york": 1, "is": 2, "!": 3}
    tokenizer = fitted([["New York", "new york"]], lower=False)
    assert tokenizer.word_index == {"New York": 1, "new york": 2}


@given(cut_texts, st.sampled_from([None, "ant", "?"]), st.integers(1, 9) | st.none())
def test_numbers_agree_with_plain_counting(texts, oov, num_words):
    """Words are numbered, and texts written in numbers, as the definition says."""
    tokenizer = fitted(texts, oov_token=oov, num_words=num_words)
    index = plain_index(texts, oov)
    assert tokenizer.word_index == index
    assert tokenizer.index_word == {number: word for word, number in index.items()}
    if not index:
        return
    sequences = tokenizer.texts_to_sequences([["zoo", *text] for text in texts])
    for text, sequence in zip(texts, sequences):
        numbers = [index.get(word, 10**6) for word in ["zoo", *text]]
        fits = [n < (num_words or 10**6) for n in numbers]
        rest = [] if oov is None else [1]
        expected = [[n] if fit else rest for n, fit in zip(numbers, fits)]
        assert sequence == sum(expected, [])


@given(cut_texts, cut_texts)
def test_texts_may_be_counted_bit_by_bit(first, second):
    """Two calls leave what one call on all texts leaves; generators serve as texts."""
    together, apart = fitted(first + second), fitted(iter(first))
    apart.fit_on_texts(second)
    assert vars(apart) == vars(together)
    assert list(apart.word_counts) == list(together.word_counts)


@given(cut_texts)
def test_texts_come_back_from_their_numbers(texts):
    """Without a limit on the words, numbers and texts hold the same."""
    tokenizer = fitted(texts, oov_token="?")
    lists = tokenizer.texts_to_sequences(texts)
    assert tokenizer.sequences_to_texts(lists) == [" ".join(text) for text in texts]
    assert tokenizer.sequences_to_texts(map(np.array, lists)) == list(
        tokenizer.sequences_to_texts_generator(lists)
    )
    assert list(tokenizer.texts_to_sequences_generator(texts)) == lists


# ---------------------------------------------------------------- matrices


def test_matrices_by_hand():
    """Two documents; word 1 occurs in both, twice in the first."""
    tokenizer = fitted(["a a b", "a c"])
    sequences = tokenizer.texts_to_sequences(["a a b", "a c"])
    assert sequences == [[1, 1, 2], [1, 3]]
    count = [[0, 2, 1, 0], [0, 1, 0, 1]]
    common, rare = math.log(1 + 2 / 3), math.log(1 + 2 / 2)
    weights = [[0, (1 + math.log(2)) * common, rare, 0], [0, common, 0, rare]]
    expected = {
        "binary": [[0, 1, 1, 0], [0, 1, 0, 1]],
        "count": count,
        "freq": [[0, 2 / 3, 1 / 3, 0], [0, 1 / 2, 0, 1 / 2]],
        "tfidf": weights,
    }
    for mode, matrix in expected.items():
        found = tokenizer.sequences_to_matrix(sequences, mode)
        np.testing.assert_allclose(found, matrix, rtol=1e-15)
        assert found.dtype == np.float64
        same = tokenizer.texts_to_matrix(["a a b", "a c"], mode)
        np.testing.assert_array_equal(same, found)
    np.testing.assert_array_equal(
        tokenizer.texts_to_matrix(["a a b", "a c"]), expected["binary"]
    )


@pytest.mark.parametrize("mode", MODES)
@given(texts=cut_texts, num_words=st.integers(1, 9) | st.none())
def test_matrices_agree_with_plain_counting(mode, texts, num_words):
    """Each number of the matrix is what the definition of its mode says."""
    tokenizer = fitted([*texts, ["ant", "bee"]], num_words=num_words)
    lists = [[tokenizer.word_index[word] for word in text] for text in texts]
    columns = num_words or len(tokenizer.word_index) + 1
    expected = plain_matrix(lists, columns, mode, len(texts) + 1, tokenizer.index_docs)
    found = tokenizer.sequences_to_matrix(lists, mode)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    arrays = tokenizer.sequences_to_matrix(map(np.array, lists), mode)
    np.testing.assert_array_equal(arrays, found)


def test_numbers_alone_can_be_counted():
    """fit_on_sequences counts in how many lists a number occurs, once for each list."""
    tokenizer = Tokenizer(num_words=4)
    tokenizer.fit_on_sequences([[1, 1, 3], np.array([1]), []])
    assert tokenizer.index_docs == {1: 2, 3: 1} and tokenizer.document_count == 3
    row = tokenizer.sequences_to_matrix([[2, 1, 9]], "tfidf")
    expected = [[0, math.log(1 + 3 / 3), math.log(1 + 3 / 1), 0]]
    np.testing.assert_allclose(row, expected, rtol=1e-15)


def test_frequencies_count_the_words_without_a_column():
    """The length of a list is that of all its numbers, as in Keras."""
    row = Tokenizer(num_words=2).sequences_to_matrix([[1, 5, 5, 5]], "freq")
    np.testing.assert_array_equal(row, [[0, 0.25]])


# ---------------------------------------------------------------- configuration


@given(cut_texts, st.integers(1, 9) | st.none(), st.sampled_from([None, "?"]))
def test_a_tokenizer_comes_back_from_json(texts, num_words, oov):
    """All arguments, counts and numbers are the same; keys are integers again."""
    tokenizer = fitted(texts, num_words=num_words, oov_token=oov, lower=False)
    twin = tokenizer_from_json(tokenizer.to_json(indent=1))
    assert vars(twin) == vars(tokenizer)
    assert twin.to_json() == tokenizer.to_json()


def test_the_json_is_laid_out_as_in_keras():
    """The tables are JSON inside JSON."""
    config = json.loads(fitted(["b a b"], num_words=5).to_json())
    assert config == {
        "class_name": "Tokenizer",
        "config": {
            "num_words": 5,
            "filters": '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n',
            "lower": True,
            "split": " ",
            "char_level": False,
            "oov_token": None,
            "document_count": 1,
            "word_counts": '{"b": 2, "a": 1}',
            "word_docs": '{"b": 1, "a": 1}',
            "index_docs": '{"1": 1, "2": 1}',
            "index_word": '{"1": "b", "2": "a"}',
            "word_index": '{"b": 1, "a": 2}',
        },
    }


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: text_to_word_sequence(3), TypeError, "text: expected a string, got 3"),
        (lambda: text_to_word_sequence("a", split=""), ValueError, "split: expected a"),
        (
            lambda: text_to_word_sequence("a", None),
            TypeError,
            "filters: .* got None. An",
        ),
        (lambda: one_hot("a", 1), ValueError, "n: expected at least 2, as 0 is never"),
        (
            lambda: one_hot("a", 2.5),
            ValueError,
            "n must be a positive integer, got 2.5",
        ),
        (
            lambda: hashing_trick("a", 5, "md4"),
            ValueError,
            "hash function 'md4'. Did you",
        ),
        (lambda: hashing_trick("a", 5, str), TypeError, "an integer, got 'a'"),
        (
            lambda: Tokenizer(0),
            ValueError,
            "num_words must be a positive integer, got 0",
        ),
        (
            lambda: Tokenizer(oov_token=1),
            TypeError,
            "oov_token: expected a string, got 1",
        ),
        (lambda: Tokenizer(split=""), ValueError, "split: expected a string between"),
        (
            lambda: fitted("a text"),
            TypeError,
            "fit_on_texts: .* list, got 'a text'. Put",
        ),
        (lambda: fitted(3), TypeError, "fit_on_texts: expected a list, got 3"),
        (lambda: fitted([3]), TypeError, "expected a text or a list of words, got 3"),
        (lambda: fitted([["a", 3]]), TypeError, r"or a list of words, got \['a', 3\]"),
        (
            lambda: fitted().texts_to_sequences("a"),
            TypeError,
            "texts_to_sequences: exp",
        ),
        (lambda: fitted().texts_to_matrix("a"), TypeError, "texts_to_sequences: exp"),
        (lambda: fitted().sequences_to_texts(1), TypeError, "sequences_to_texts: exp"),
        (lambda: fitted().fit_on_sequences(1), TypeError, "fit_on_sequences: expected"),
        (
            lambda: fitted().fit_on_sequences([1]),
            ValueError,
            "word numbers from 0, got 1",
        ),
        (lambda: fitted().sequences_to_matrix([[-1]]), ValueError, r"0, got \[-1\]"),
        (lambda: fitted().sequences_to_matrix([[0.5]]), ValueError, r"0, got \[0.5\]"),
        (
            lambda: fitted().sequences_to_matrix([[[1]]]),
            ValueError,
            r"0, got \[\[1\]\]",
        ),
        (
            lambda: fitted().sequences_to_matrix([[[1], [2, 3]]]),
            ValueError,
            "from 0, got",
        ),
        (
            lambda: fitted().sequences_to_matrix(1),
            TypeError,
            "sequences_to_matrix: exp",
        ),
        (
            lambda: fitted().texts_to_matrix([""], "tfdif"),
            ValueError,
            "you mean 'tfidf'",
        ),
        (
            lambda: Tokenizer().texts_to_sequences([""]),
            ValueError,
            "no words are known",
        ),
        (
            lambda: Tokenizer().sequences_to_texts([[1]]),
            ValueError,
            "no words are known",
        ),
        (
            lambda: Tokenizer().sequences_to_matrix([[1]]),
            ValueError,
            "number of columns",
        ),
        (
            lambda: Tokenizer(3).sequences_to_matrix([[1]], "tfidf"),
            ValueError,
            "mode 'tfidf' needs counted documents. Call fit_on_texts or",
        ),
        (
            lambda: tokenizer_from_json("{"),
            ValueError,
            "what Tokenizer.to_json returns",
        ),
        (lambda: tokenizer_from_json("{}"), ValueError, "KeyError: 'config'"),
        (
            lambda: tokenizer_from_json("[1]"),
            ValueError,
            "what Tokenizer.to_json returns",
        ),
        (
            lambda: tokenizer_from_json(None),
            ValueError,
            "what Tokenizer.to_json returns",
        ),
    ],
)
def test_misuse_is_named(call, kind, message):
    """Who, what was expected, what came."""
    with pytest.raises(kind, match=message):
        call()


def test_a_refused_text_changes_nothing():
    """The texts before it are not counted either."""
    tokenizer = fitted()
    before = json.loads(tokenizer.to_json())
    with pytest.raises(TypeError):
        tokenizer.fit_on_texts(["new words", 3])
    with pytest.raises(ValueError):
        tokenizer.fit_on_sequences([[1, 2], [-1]])
    assert json.loads(tokenizer.to_json()) == before
