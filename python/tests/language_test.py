"""Language models: generation, streams, cancelling, perplexity, logits."""

import numpy
import pytest

import edgewright


@pytest.fixture(scope="module")
def language(novel):
    return edgewright.LanguageModel(novel)


def test_generate_streams_its_text(language):
    parts = []
    report = language.generate("It was a", max_tokens=12, measure_bandwidth=False,
                               on_text=parts.append)
    assert report.text == "".join(parts) and len(report.tokens) == 12
    again = language.generate(prompt="It was a", max_tokens=12, measure_bandwidth=False)
    assert again.tokens == report.tokens


def test_false_cancels(language):
    report = language.generate("It was a", max_tokens=50, measure_bandwidth=False,
                               on_text=lambda text: False)
    assert report.finish == "cancelled" and len(report.tokens) < 50


def test_an_exception_in_the_stream_comes_out(language):
    def fail(_text):
        raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        language.generate("It was a", max_tokens=50, measure_bandwidth=False, on_text=fail)


def test_tokens_and_logits(language):
    tokens = language.encode("the old man")
    assert language.decode(tokens).strip() == "the old man"
    logits = language.logits(tokens)
    assert logits.shape == (len(tokens), language.info.vocabulary)
    # Two ways to reckon them, which round differently.
    stepwise = language.logits(tokens, stepwise=True)
    assert (logits.argmax(axis=1) == stepwise.argmax(axis=1)).all()
    assert numpy.corrcoef(logits.ravel(), stepwise.ravel())[0, 1] > 0.999


def test_perplexity(language):
    text = "It was the best of times, it was the worst of times. "
    report = language.perplexity(text * 40, window=64)
    assert 1 < report.perplexity < 1000 and report.tokens > 0


def test_one_call(novel):
    report = edgewright.generate(novel, "The sea", max_tokens=3, measure_bandwidth=False)
    assert len(report.tokens) == 3
    with pytest.raises(edgewright.UsageError, match="no keyword 'max_token'"):
        edgewright.generate(novel, "The sea", max_token=3)
