"""Text as tokens: the numbers of its characters, or of pieces that are common in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jitgrad.errors import ArgumentError, BadRecordError, DTypeError, ParametersError, ShapeError

from . import elements as parts
from .dataset import size
from .files import Name, opened
from .packages import package

Tokenizer = Any
"""One of the package tokenizers."""


def read_text(path: Name, encoding: str = "utf-8") -> str:
    """A text file, compressed by gzip or not; ends of lines become newline characters.

    Raises BadRecordError for bytes that are not of the encoding, which names the file, the line and the byte.

    >>> import tempfile
    >>> from jitgrad import data
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     _ = file.write(b"one\\r\\ntwo\\n")
    ...     file.flush()
    ...     data.read_text(file.name)
    'one\\ntwo\\n'
    """
    with opened("data.read_text", path) as file:
        content = file.read()
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadRecordError(
            f"data.read_text: {path}, line {line}, byte {error.start}: {content[error.start : error.end].hex(' ')} is not "
            f"{encoding} ({error.reason}). Say which encoding it has: encoding='latin-1', for example"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def pad_sequences(sequences: Iterable[Any], length: int | None = None, *, value: float = 0, side: str = "right") -> np.ndarray:
    """Rows of different lengths as one array [rows, length, ...], which is `value` where a row has ended.

    length: that of the longest row by default; longer rows lose what is on the side of the padding: "right", the end, or "left",
    the beginning.

    >>> from jitgrad import data
    >>> data.pad_sequences([[1, 2, 3], [4]])
    array([[1, 2, 3],
           [4, 0, 0]])
    >>> data.pad_sequences([[1, 2, 3], [4]], 2, side="left")
    array([[2, 3],
           [0, 4]])
    """
    where = "data.pad_sequences"
    if side not in ("left", "right"):
        raise ArgumentError(f'{where}: side is "left" or "right", got {side!r}')
    rows = [parts.as_numbers(where, row) for row in sequences]
    filled = [row for row in rows if row.size]
    if not filled:
        raise ArgumentError(f"{where}: expected rows of which one at least has elements")
    for i, row in enumerate(rows):
        if not row.ndim or (row.size and row.shape[1:] != filled[0].shape[1:]):
            raise ShapeError(
                f"{where}: rows differ along their first axis alone, got shapes {filled[0].shape} and, as row {i}, {row.shape}"
            )
    width = max(map(len, rows)) if length is None else size(f"{where}: length", length)
    kind = np.result_type(*filled)
    if kind.kind in "iu" and not (float(value).is_integer() and np.iinfo(kind).min <= value <= np.iinfo(kind).max):
        raise ArgumentError(f"{where}: rows of {kind} can't be padded with {value}")
    out = np.full((len(rows), width, *filled[0].shape[1:]), value, kind)
    for i, row in enumerate(rows):
        if not row.size:
            continue
        if side == "right":
            out[i, : len(row)] = row[:width]
        else:
            out[i, -len(row) :] = row[-width:]
    return out


def _text(where: str, text: Any) -> str:
    if not isinstance(text, str):
        raise ParametersError(f"{where}: expected a str, got {type(text).__name__}")
    return text


def _ids(where: str, ids: Any, vocabulary: int) -> np.ndarray:
    """Tokens that are in a vocabulary."""
    array = parts.as_numbers(where, ids)
    if array.ndim > 1 or (array.dtype.kind not in "iu" and array.size):
        raise DTypeError(f"{where}: tokens are a row of integers, got {array.dtype} of shape {array.shape}")
    array = array.reshape(-1).astype(np.int64)
    wrong = np.flatnonzero((array < 0) | (array >= vocabulary))
    if wrong.size:
        raise ArgumentError(f"{where}: tokens are 0 to {vocabulary - 1}, got {array[wrong[0]]} at index {wrong[0]}")
    return array


@dataclass(frozen=True)
class Characters:
    """A vocabulary of characters, in the order of their code points; a character's number is its token.

    >>> from jitgrad import data
    >>> vocabulary = data.Characters.of("hello world")
    >>> len(vocabulary), vocabulary.characters
    (8, ' dehlorw')
    >>> vocabulary.encode("held")
    array([3, 2, 4, 1], dtype=int32)
    >>> vocabulary.decode([3, 2, 4, 1])
    'held'
    """

    characters: str

    def __post_init__(self) -> None:
        points = self._points
        if not points.size or (np.diff(points.astype(np.int64)) <= 0).any():
            raise ArgumentError(
                "data.Characters: expected characters in order, each once; Characters.of(text) makes them of a text"
            )

    @classmethod
    def of(cls, text: str) -> Characters:
        """The vocabulary of the characters in a text."""
        return cls("".join(sorted(set(_text("data.Characters.of", text)))))

    def __len__(self) -> int:
        return len(self.characters)

    @property
    def _points(self) -> np.ndarray:
        return np.frombuffer(self.characters.encode("utf-32-le", "surrogatepass"), "<u4")

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, int32 [characters]. Raises ArgumentError for a character that is not in the vocabulary."""
        points = np.frombuffer(_text("data.Characters.encode", text).encode("utf-32-le", "surrogatepass"), "<u4")
        known = self._points
        tokens = np.searchsorted(known, points)
        wrong = np.flatnonzero(known[np.minimum(tokens, len(known) - 1)] != points)
        if wrong.size:
            at = int(wrong[0])
            raise ArgumentError(
                f"data.Characters.encode: {text[at]!r} at index {at} is not in the vocabulary of {len(self)} characters; make it "
                "of all texts that it is to encode"
            )
        return tokens.astype(np.int32)

    def decode(self, tokens: Any) -> str:
        """The text of a row of tokens. Raises ArgumentError for one that is not in the vocabulary."""
        ids = _ids("data.Characters.decode", tokens, len(self))
        return self._points[ids].tobytes().decode("utf-32-le", "surrogatepass")


class BytePairs:
    """A byte-pair tokenizer: tokens are bytes and, from the most frequent on, joins of two neighbours. It encodes every text.

    Made by `BytePairs.train` or `BytePairs.load`. The work is done by the package tokenizers, of the extra jitgrad[train].

    Sennrich, Haddow, Birch: Neural machine translation of rare words with subword units, ACL 2016; on bytes as in GPT-2.

    >>> from jitgrad import data
    >>> pairs = data.BytePairs.train("low lower lowest " * 100, 262)
    >>> tokens = pairs.encode("lower")
    >>> len(pairs), len(tokens) < 5, pairs.decode(tokens)
    (262, True, 'lower')
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, texts: str | Iterable[str], vocabulary: int) -> BytePairs:
        """The tokenizer with that many tokens, or fewer where the texts have no more to join. Raises ArgumentError below 257."""
        where = "data.BytePairs.train"
        count = size(where, vocabulary, least=257)
        tokenizers = package(where, "tokenizers")
        made = tokenizers.Tokenizer(tokenizers.models.BPE())
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = tokenizers.decoders.ByteLevel()
        alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
        trainer = tokenizers.trainers.BpeTrainer(vocab_size=count, initial_alphabet=alphabet, show_progress=False)
        made.train_from_iterator([texts] if isinstance(texts, str) else texts, trainer)
        return cls(made)

    @classmethod
    def load(cls, path: Name) -> BytePairs:
        """The tokenizer that `save` wrote, or another one of the package's files (tokenizer.json).

        Raises BadRecordError for other files.
        """
        tokenizers = package("data.BytePairs.load", "tokenizers")
        content = read_text(path)
        try:
            return cls(tokenizers.Tokenizer.from_str(content))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # panics of the package are no Exceptions
            raise BadRecordError(f"data.BytePairs.load: {path} is no file of a tokenizer: {error}") from None

    def save(self, path: Name) -> None:
        """Write the tokenizer as JSON."""
        Path(path).write_text(self._tokenizer.to_str(), encoding="utf-8")

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, int32 [tokens]."""
        return np.asarray(self._tokenizer.encode(_text("data.BytePairs.encode", text)).ids, np.int32)

    def decode(self, tokens: Any) -> str:
        """The text of a row of tokens. Raises ArgumentError for one that is not in the vocabulary."""
        return str(self._tokenizer.decode(_ids("data.BytePairs.decode", tokens, len(self)).tolist(), skip_special_tokens=False))
