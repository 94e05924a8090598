"""Praise or blame? An LSTM learns that the order of words matters. Run: python sentiment.py, or with --csv and a file of reviews

Sentences come from a grammar: "although the cast was never dull, i found the film weak" blames, and with its words in another order
it would praise. Each sentence to test with has a pair of negation and adjective that no sentence to learn from has. Prints the
accuracy of a bag of words, too, and writes sentiment.png (the loss).
"""

import argparse
import itertools
import re

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from jitgrad import data, nn, random, train

GOOD = "good great wonderful clever moving funny superb charming fresh brilliant".split()
BAD = "bad boring dreadful dull stupid weak slow awful silly terrible".split()
PLAIN = ["{}", "really {}", "so {}"]
NEGATED = ["not {}", "never {}", "not {} at all", "hardly {}", "anything but {}", "far from {}"]
THINGS = "film plot acting music ending dialogue cast story".split()
SENTENCES = """the {two} was {not_so}, but the {one} was {so}
although the {two} was {not_so}, i found the {one} {so}
i found the {one} {so}, although the {two} was {not_so}
i had read that it was {not_so}; it was {so}
it was {so}; i had read that it was {not_so}
nobody can call the {one} {not_so}; the {two} was {so}""".splitlines()
WORD, LONGEST = r"\w+", 200


def opinion(rng, praise):
    """A pair of words, as ("not {}", "bad")."""
    negated = rng.random() < 0.5
    return str(rng.choice(NEGATED if negated else PLAIN)), str(rng.choice(GOOD if praise != negated else BAD))


def made_up(count):
    """(sentence, whether it praises) to learn from, and those that have one of 30 pairs, to test with."""
    rng, learn, test = np.random.default_rng(0), [], []
    pairs = rng.permutation([(negation, adjective) for negation in NEGATED for adjective in GOOD + BAD])
    kept = {tuple(pair) for pair in pairs[:30].tolist()}
    for praise in rng.random(count) < 0.5:
        so, not_so = opinion(rng, praise), opinion(rng, not praise)
        one, two = rng.choice(THINGS, 2, replace=False)
        words = {"one": one, "two": two, "so": so[0].format(so[1]), "not_so": not_so[0].format(not_so[1])}
        (test if {so, not_so} & kept else learn).append((rng.choice(SENTENCES).format(**words), praise))
    return learn, test


def read(path):
    """The same of the first two columns of a CSV file, texts and labels."""
    table = data.read_csv(path)
    texts, labels = (table[name] for name in table.names[:2])
    pairs = list(zip(texts, labels == max(labels), strict=True))
    np.random.default_rng(0).shuffle(pairs)
    return pairs[len(pairs) // 5 :], pairs[: len(pairs) // 5]


def numbered(texts, numbers):
    """The last words of each text as numbers from 2 on, 1 for words that are not known, and zeros behind them: [texts, words]."""
    rows = [[numbers.get(word, -1) + 2 for word in re.findall(WORD, text.lower())[-LONGEST:]] for text in texts]
    return np.array(list(itertools.zip_longest(*rows, fillvalue=0))).T


class Reader(nn.Module):
    def __init__(self, words):
        self.embedding, self.lstm, self.out = nn.Embedding(words, 32), nn.LSTM(32, 64), nn.Linear(64, 1)

    def __call__(self, texts):
        _, (last, _) = self.lstm(self.embedding(texts), lengths=(texts > 0).sum(axis=1))
        return nn.sigmoid(self.out(last[-1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer sentences and epochs")
    parser.add_argument("--csv", help="columns of texts and labels; the label that is last in the alphabet is praise")
    args = parser.parse_args()
    learn, test = read(args.csv) if args.csv else made_up(8000 if args.quick else 30000)
    (texts, y), (test_texts, y_test) = zip(*learn, strict=True), zip(*test, strict=True)

    bag = CountVectorizer(token_pattern=WORD)
    weights = LogisticRegression(max_iter=1000).fit(bag.fit_transform(texts), y)
    print(f"accuracy of a bag of words: {weights.score(bag.transform(test_texts), y_test):.3f}")
    x, x_test = numbered(texts, bag.vocabulary_), numbered(test_texts, bag.vocabulary_)
    y, y_test = np.array(y)[:, None], np.array(y_test)[:, None]

    random.seed(0)
    model = train.Model(Reader(len(bag.vocabulary_) + 2))
    model.compile(train.optimizers.Adam(3e-3), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=64, epochs=4 if args.quick else 8, validation_data=(x_test, y_test)).plot("sentiment.png")
    for text, praise in zip(test_texts[:5], model.predict(x_test[:5], verbose=0)[:, 0], strict=True):
        print(f"{praise:.3f} {text[:120]}")
    print(f"accuracy: {model.evaluate(x_test, y_test, verbose=0)[1]:.3f}")


if __name__ == "__main__":
    main()
