"""Asks a route with the openai SDK while its primary is broken, row by row, and prints what the SDK made of it.

Usage: openai_faults.py GATEWAY MOCK_CONTROL ROWS, where ROWS is a JSON list of {"id", "faults"}. One JSON line a row:
"tier N" for a whole answer from that tier, "error CODE" for an exception. The last line checks what else the SDK does.
"""
import json
import sys
import urllib.request

import openai

gateway, control, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = openai.OpenAI(base_url=gateway + "/v1", api_key="any", max_retries=0, timeout=20)
question = [{"role": "user", "content": "How do I reset my password?"}]


def put(faults):
    body = json.dumps(faults).encode()
    request = urllib.request.Request(control + "/mock/faults", data=body, method="PUT")
    urllib.request.urlopen(request).read()


def record(headers):
    with urllib.request.urlopen(f"{gateway}/v1/decisions/{headers['evenkeel-decision']}") as answer:
        return json.load(answer)


def agree(headers, told):
    """Headers, body object and record must say the same."""
    kept = record(headers)
    assert str(told["tier"]) == headers["evenkeel-tier"] == str(kept["outcome"]["tier"]), (told, kept)
    assert told["reason"] == headers["evenkeel-reason"] == kept["reason"], (told, kept)
    assert told["decision"] == kept["id"], (told, kept)
    return f"tier {told['tier']}"


def plain():
    raw = client.chat.completions.with_raw_response.create(model="chat", messages=question)
    answer = raw.parse()
    assert answer.choices[0].message.content and answer.choices[0].finish_reason, answer
    return agree(raw.headers, answer.model_extra["evenkeel"])


def stream():
    with client.chat.completions.with_streaming_response.create(model="chat", messages=question, stream=True) as raw:
        text, finish, told = "", None, None
        for chunk in raw.parse():
            told = told or (chunk.model_extra or {}).get("evenkeel")
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish = finish or choice.finish_reason
        assert text and finish, (text, finish)
        return agree(raw.headers, told)


def seen(call):
    try:
        return call()
    except openai.APIStatusError as error:
        return f"error {error.status_code}"
    except openai.APIError as error:
        return f"error {error.code}"


def features():
    """Tools, structured output, usage, embeddings and models pass."""
    tool = {"type": "function", "function": {"name": "reset", "parameters": {"type": "object", "properties": {}}}}
    answer = client.chat.completions.create(model="chat", messages=question, tools=[tool], tool_choice="required")
    assert answer.choices[0].message.tool_calls, answer
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    answer = client.chat.completions.create(model="chat", messages=question, response_format=schema)
    assert isinstance(json.loads(answer.choices[0].message.content), dict), answer
    chunks = list(
        client.chat.completions.create(
            model="chat", messages=question, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].usage and chunks[-1].usage.total_tokens > 0, chunks[-1]
    vectors = client.embeddings.create(model="vectors", input=["a", "b"])
    assert len(vectors.data) == 2 and isinstance(vectors.data[0].embedding[0], float), vectors
    assert [model.id for model in client.models.list()] == ["chat", "vectors"]
    try:
        client.chat.completions.create(model="nope", messages=question)
        raise AssertionError("an unknown model was answered")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error
    return "fine"


def warm_up():
    """Good answers in a row, so that no breaker remembers the row before."""
    put([])
    for call in (plain, stream) * 6:
        call()


for row in rows:
    answers = {}
    warm_up()
    for name, call in (("plain", plain), ("stream", stream)):
        put(row["faults"])
        answers[name] = seen(call)
    print(json.dumps({"id": row["id"], **answers}), flush=True)
put([])
print(json.dumps({"features": features()}))
