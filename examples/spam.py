"""Spam or not? Logistic regression on the words of a message. Run: python spam.py, or python spam.py --data SMSSpamCollection

The probability of spam is sigmoid(b + the sum of w over its words). Messages are made up, or the lines `label<tab>text` of a file,
as the SMS Spam Collection's. Prints precision and recall for messages that it was not fitted to, and writes spam.png.
"""

import argparse
import re

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import jitgrad
import jitgrad.numpy as jnp
from jitgrad import data, metrics, nn, optim

SPAM = """you have won {sum} pounds | claim your {prize} now | call {number} to claim | free entry to win a {prize} | reply yes
urgent, your account was selected | text {number} to stop | cheap loans up to {sum} pounds | your mobile number won a {prize}
limited offer, only today | congratulations, your {prize} is waiting | earn {sum} pounds a week from home | free ringtone"""
HAM = """are you free {time}? | i won the game {time} | call me when you are home | see you {time} at the {place} | sorry, i am late
did you claim the tickets? | lunch {time} at the {place}? | i am at the {place} now | my mobile is {number} | what a day
the prize was a {prize}, of all things | your account of it was funny | is there an entry from the {place}?"""
EITHER = "hello | please reply | call me now | have a nice day | thanks | only today | text me {time} | it is urgent | yes or no?"
WORDS = {
    "sum": "100 250 500 1000 2000", "prize": "phone holiday bonus camera", "time": "today tonight tomorrow later",
    "place": "pub office gym station", "number": "08701234567 60317 07700900123 84025",
}  # fmt: skip


def made_up(count):
    """Messages, no two of them equal, and labels: two to four phrases, of which some say nothing about the label."""
    rng, messages = np.random.default_rng(0), {}
    while len(messages) < count:
        label, own = ("spam", SPAM) if rng.random() < 0.3 else ("ham", HAM)
        phrases = [rng.choice(re.split(r" \| |\n", own if rng.random() < 0.6 else EITHER)) for _ in range(rng.integers(2, 5))]
        words = {slot: rng.choice(choices.split()) for slot, choices in WORDS.items()}
        messages[". ".join(phrases).format(**words)] = label
    return zip(*messages.items(), strict=True)


def read(path):
    lines = data.read_text(path).split("\n")
    return zip(*(line.split("\t", 1)[::-1] for line in lines if line), strict=True)


def draw(words, weights, spam, found):
    plt.switch_backend("Agg")
    _, (left, right) = plt.subplots(1, 2, figsize=(10, 4.8), layout="constrained")
    left.barh(words[:10], weights[:10], label="ham")
    left.barh(words[-10:], weights[-10:], label="spam")
    left.legend(title="words that say most")
    ConfusionMatrixDisplay.from_predictions(spam, found, display_labels=["ham", "spam"], ax=right, cmap="Blues", colorbar=False)
    plt.savefig("spam.png", dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer messages and steps")
    parser.add_argument("--data", help="a file of lines `label<tab>text`, label being ham or spam")
    args = parser.parse_args()
    texts, labels = read(args.data) if args.data else made_up(2000 if args.quick else 6000)
    is_spam = np.array(labels) == "spam"
    texts, test_texts, y, y_test = train_test_split(texts, is_spam, test_size=0.25, random_state=0, stratify=is_spam)
    bag = CountVectorizer(preprocessor=lambda text: re.sub(r"\d", "#", text.lower()), token_pattern=r"[a-z']+|#+")
    x = jnp.array(bag.fit_transform(texts).toarray(), "float32")  # how often each word is in each message: [messages, words]
    x_test = bag.transform(test_texts).toarray().astype("float32")

    model = nn.Linear(x.shape[1], 1, weight_init=nn.initializers.zeros)
    optimizer = optim.adam(0.05)

    def loss(model, x, y):
        return nn.losses.binary_cross_entropy_with_logits(model(x)[:, 0], y) + 1e-4 * jnp.sum(model.weight**2)

    @jitgrad.jit
    def step(model, state, x, y):
        value, gradient = jitgrad.value_and_grad(loss)(model, x, y)
        updates, state = optimizer.update(gradient, state)
        return optim.apply_updates(model, updates), state, value

    state = optimizer.init(model)
    for _ in tqdm(range(100 if args.quick else 300), desc="fitting"):
        model, state, value = step(model, state, x, y)

    found = np.asarray(model(x_test)[:, 0] > 0)
    words, weights = bag.get_feature_names_out(), np.asarray(model.weight[:, 0])
    ranks = np.argsort(weights)
    draw(words[ranks], weights[ranks], y_test, found)
    print("most of ham:", *words[ranks[:10]], "\nmost of spam:", *words[ranks[:-11:-1]])
    print("messages [right, found]:", *np.asarray(metrics.confusion_matrix(found, y_test)).tolist())
    print(f"precision: {metrics.precision(found, y_test):.4f}, recall: {metrics.recall(found, y_test):.4f}")


if __name__ == "__main__":
    main()
