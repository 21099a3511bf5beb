# SPDX-License-Identifier: Apache-2.0
"""The unmodified OpenAI SDK against the real server and model."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from conftest import MODEL_ID, ROOT, Server, has_vectors

GOLDEN = json.loads((ROOT / "tests/golden/smollm2-135m-instruct-q4_1.json").read_text())
QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France?" if has_vectors() else "Hi"}]


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0)


def greedy(client: openai.OpenAI, messages: list[Any], **more: Any) -> Any:
    return client.chat.completions.create(model=MODEL_ID, messages=messages, temperature=0, **more)


def streamed_text(stream: Any) -> str:
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def test_lists_models(client: openai.OpenAI) -> None:
    models = list(client.models.list())
    assert [model.id for model in models] == [MODEL_ID]
    assert client.models.retrieve(MODEL_ID).object == "model"


def test_answers_the_question(client: openai.OpenAI) -> None:
    answer = greedy(client, QUESTION).choices[0]
    assert answer.finish_reason == "stop"
    assert "Paris" in answer.message.content or not has_vectors()


def test_answers_as_the_reference_does(client: openai.OpenAI, server: Server) -> None:
    for row in GOLDEN["generate"]:
        answer = greedy(client, row["messages"], max_tokens=len(row["ids"]))
        text_ids = [token for token in row["ids"] if token != 2]  # the end of a turn has no text
        expected = httpx.post(server.url + "/detokenize", json={"tokens": text_ids}).json()["content"]
        # A margin below what quantised activations cost may fall the other way: the text up to there is equal.
        close = next((i for i, margin in enumerate(row["margins"]) if margin < 0.5), len(text_ids))
        sure = httpx.post(server.url + "/detokenize", json={"tokens": text_ids[:close]}).json()["content"]
        assert answer.choices[0].message.content.startswith(sure) or answer.choices[0].message.content == expected
        assert answer.usage.prompt_tokens == len(row["prompt_ids"])


def test_stream_and_document_are_equal(client: openai.OpenAI) -> None:
    document = greedy(client, QUESTION, max_tokens=24)
    chunks = list(greedy(client, QUESTION, max_tokens=24, stream=True, stream_options={"include_usage": True}))
    assert streamed_text(chunks) == document.choices[0].message.content
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == document.choices[0].finish_reason
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage == document.usage


def test_answers_are_the_same_alone_and_among_others(client: openai.OpenAI) -> None:
    alone = greedy(client, QUESTION, max_tokens=24).choices[0].message.content

    def one(i: int) -> str:
        others: list[Any] = [{"role": "user", "content": f"Count from {i} to {i + 10}."}]
        answer = greedy(client, QUESTION if i % 2 == 0 else others, max_tokens=24)
        return str(answer.choices[0].message.content)

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(16)))
    assert {answers[i] for i in range(0, 16, 2)} == {alone}


def test_limits_and_ends(client: openai.OpenAI) -> None:
    short = greedy(client, QUESTION, max_tokens=3)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 3
    assert greedy(client, QUESTION, max_completion_tokens=2).usage.completion_tokens == 2
    whole = greedy(client, QUESTION)
    assert whole.choices[0].finish_reason == "stop"
    longer = greedy(client, QUESTION, max_tokens=60, extra_body={"ignore_eos": True})
    assert longer.usage.completion_tokens == 60


def test_stop_strings_never_show(client: openai.OpenAI) -> None:
    whole = str(greedy(client, QUESTION, max_tokens=24).choices[0].message.content)
    stop = whole[9:15]  # from one word into the next
    document = greedy(client, QUESTION, max_tokens=24, stop=[stop])
    assert document.choices[0].message.content == whole[: whole.index(stop)]
    assert document.choices[0].finish_reason == "stop"
    assert streamed_text(greedy(client, QUESTION, max_tokens=24, stop=stop, stream=True)) == whole[: whole.index(stop)]


def test_choices_and_seeds(client: openai.OpenAI) -> None:
    def sampled(seed: int) -> list[str | None]:
        story: list[Any] = [{"role": "user", "content": "Tell me a story."}]
        answer = client.chat.completions.create(model=MODEL_ID, messages=story, n=3, seed=seed, max_tokens=16)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        return [choice.message.content for choice in answer.choices]

    assert sampled(1) == sampled(1)
    assert len(set(sampled(1))) > 1


def test_biases_stay_with_their_request(client: openai.OpenAI, server: Server) -> None:
    whole = greedy(client, QUESTION, max_tokens=8).choices[0].message.content
    first = httpx.post(server.url + "/tokenize", json={"content": whole}).json()["tokens"][0]
    assert greedy(client, QUESTION, max_tokens=8, logit_bias={str(first): -100}).choices[0].message.content != whole
    assert greedy(client, QUESTION, max_tokens=8).choices[0].message.content == whole


def test_chat_logprobs(client: openai.OpenAI) -> None:
    answer = greedy(client, QUESTION, max_tokens=5, logprobs=True, top_logprobs=3)
    content = answer.choices[0].logprobs.content
    assert len(content) == 5
    assert b"".join(bytes(token.bytes) for token in content).decode() == answer.choices[0].message.content
    for token in content:
        assert len(token.top_logprobs) == 3
        assert token.logprob <= 0
        assert token.top_logprobs[0].token == token.token


def test_completions(client: openai.OpenAI) -> None:
    first = client.completions.create(model=MODEL_ID, prompt="Once upon a time", temperature=0)
    assert first.usage is not None and first.usage.completion_tokens == 16
    assert first.object == "text_completion" and first.id.startswith("cmpl-")
    both = client.completions.create(
        model=MODEL_ID, prompt=["Once upon a time", "The sky is"], temperature=0, max_tokens=4
    )
    assert first.choices[0].text.startswith(both.choices[0].text)
    assert len(both.choices) == 2
    stream = client.completions.create(model=MODEL_ID, prompt="Once upon a time", temperature=0, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == first.choices[0].text


def test_token_ids_and_text_are_the_same_prompt(client: openai.OpenAI, server: Server) -> None:
    ids = httpx.post(server.url + "/tokenize", json={"content": "The sky is"}).json()["tokens"]
    options: dict[str, Any] = {"model": MODEL_ID, "temperature": 0, "max_tokens": 6, "echo": True}
    of_text = client.completions.create(prompt="The sky is", **options)
    of_ids = client.completions.create(prompt=ids, **options)
    assert of_text.choices[0].text == of_ids.choices[0].text
    assert of_text.choices[0].text.startswith("The sky is")


def test_scores_a_prompt_as_the_reference_does(client: openai.OpenAI) -> None:
    row = GOLDEN["score"][0]
    answer = client.completions.create(model=MODEL_ID, prompt=row["ids"], max_tokens=0, echo=True, logprobs=0)
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None and logprobs.token_logprobs is not None
    assert answer.usage is not None and answer.usage.completion_tokens == 0
    assert logprobs.token_logprobs[0] is None
    scores = [float(score) for score in logprobs.token_logprobs[1:]]
    errors = [abs(got - want) for got, want in zip(scores, row["logprobs"], strict=True)]
    assert sum(errors) / len(errors) <= 0.06


def test_errors_have_their_types(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="nope", messages=QUESTION)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")
    with pytest.raises(openai.BadRequestError) as hot:
        greedy(client, QUESTION, top_p=2)
    assert hot.value.param == "top_p" and hot.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError) as image:
        greedy(client, [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])
    assert image.value.code == "unsupported_modality"
    with pytest.raises(openai.BadRequestError) as too_long:
        greedy(client, [{"role": "user", "content": "word " * 9000}])
    assert too_long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError):
        list(greedy(client, [{"role": "user", "content": "word " * 9000}], stream=True))


def test_names_its_requests_and_what_it_ignores(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL_ID, messages=QUESTION, max_tokens=1, user="me", extra_body={"frobnicate": 1}
    )
    assert raw.headers["x-request-id"]
    assert raw.headers["x-ignored-fields"] == "user, frobnicate"


def test_metrics_count_exactly(client: openai.OpenAI, server: Server) -> None:
    before = server.metric("llamagpu_generation_tokens_total"), server.metric("llamagpu_prompt_tokens_total")
    usage = greedy(client, QUESTION, max_tokens=7, n=2).usage
    after = server.metric("llamagpu_generation_tokens_total"), server.metric("llamagpu_prompt_tokens_total")
    assert (after[0] - before[0], after[1] - before[1]) == (usage.completion_tokens, usage.prompt_tokens)
