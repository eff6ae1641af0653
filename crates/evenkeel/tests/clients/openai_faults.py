"""Asks a route with the openai SDK while its primary is broken, row by row, and prints what the SDK made of it.

Usage: openai_faults.py GATEWAY MOCK_CONTROL ROWS, where ROWS is a JSON list of {"id", "faults", "plain", "stream"},
the last two the routes to ask. One JSON line a row:
"tier N REASON" for a whole answer from that tier, "mended tier N REASON" for a stream that broke and that this tier finished,
"error CODE REASON" for an exception. The last line checks what else the
SDK does. Every answer, also an error, must say the same in its headers, in its body and in the record of its decision.
"""
import json
import sys
import urllib.request

import httpx2 as httpx
import openai

gateway, control, rows = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
question = [{"role": "user", "content": "How do I reset my password?"}]


class Heard(httpx.SyncByteStream):
    """Passes a body on, and keeps it: the SDK drops what stands beside an error."""

    def __init__(self, stream):
        self.stream, self.parts = stream, []

    def __iter__(self):
        for part in self.stream:
            self.parts.append(part)
            yield part

    def close(self):
        self.stream.close()

    def events(self):
        events = b"".join(self.parts).decode().split("\n\n")
        return [it[6:] for it in events if it.startswith("data: ")]


class Hearing(httpx.HTTPTransport):
    def handle_request(self, request):
        response = super().handle_request(request)
        response.stream = self.last = Heard(response.stream)
        return response


hearing = Hearing()
whole = {}
http = openai.DefaultHttpxClient(transport=hearing)
client = openai.OpenAI(base_url=gateway + "/v1", api_key="any", max_retries=0, timeout=20, http_client=http)


def put(faults):
    body = json.dumps(faults).encode()
    request = urllib.request.Request(control + "/mock/faults", data=body, method="PUT")
    urllib.request.urlopen(request).read()


def record(headers):
    """What the record of a decision says, in the words of the object `evenkeel`."""
    with urllib.request.urlopen(f"{gateway}/v1/decisions/{headers['evenkeel-decision']}") as answer:
        kept = json.load(answer)
    outcome = kept["outcome"]
    told = {key: kept[key] for key in ("route", "revision", "reason")}
    if outcome["rescue"] != "none":
        told["rescue"] = outcome["rescue"]
    told |= {"decision": kept["id"], "degraded": outcome["degraded"], "attempts": len(kept["attempts"])}
    return told | {key: outcome[key] for key in ("tier", "method", "path") if outcome[key] is not None}


def headers_say(headers, told):
    """All headers of ours say what is told, and nothing else."""
    prefix = "evenkeel-"
    said = {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}
    text = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in told.items()}
    assert said == text, (said, text)


def agree(headers, told):
    """Headers, body object and record say the same."""
    kept = record(headers)
    headers_say(headers, kept)
    assert told == kept, (told, kept)
    return f"tier {told['tier']} {told['reason']}"


def plain(route):
    raw = client.chat.completions.with_raw_response.create(model=route, messages=question)
    answer = raw.parse()
    assert answer.choices[0].message.content and answer.choices[0].finish_reason, answer
    return agree(raw.headers, answer.model_extra["evenkeel"]) + ("" if answer.usage else ", no usage")


def stream(route):
    usage = {"include_usage": True}
    asking = client.chat.completions.with_streaming_response.create(
        model=route, messages=question, stream=True, stream_options=usage, max_tokens=500
    )
    with asking as raw:
        text, finish, told, last, usage = "", None, None, None, None
        try:
            for chunk in raw.parse():
                last = (chunk.model_extra or {}).get("evenkeel")
                told = told or last
                usage = usage or chunk.usage
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    finish = finish or choice.finish_reason
        except openai.APIError as error:
            return broken(error, raw.headers, told)
        assert text and finish, (text, finish)
        if last and last.get("rescue") == "spliced":
            return mended(raw.headers, told, last, text)
        whole[route] = text
        return agree(raw.headers, told) + ("" if usage else ", no usage")


def mended(headers, told, last, text):
    """The head and the first chunk say what was true then; the last chunk says what the record says, and who wrote it."""
    headers_say(headers, told)
    assert last.pop("parts") == ["primary", "small"], last
    kept = record(headers)
    assert last == kept and text in whole.values(), (last, kept, text)
    return f"mended tier {kept['tier']} {kept['reason']}"


def broken(error, headers, told):
    """The head and the first chunk say what was true then; the error event is last, and says what the record says."""
    headers_say(headers, told)
    last, kept = json.loads(hearing.last.events()[-1]), record(headers)
    assert "[DONE]" not in hearing.last.events(), last
    assert last["evenkeel"].pop("parts") == ["primary"], last
    assert last["error"]["code"] == error.code and last["evenkeel"] == kept, (last, kept)
    return f"error {error.code} {kept['reason']}"


def seen(call, route):
    try:
        return call(route)
    except openai.APIStatusError as error:
        kept = record(error.response.headers)
        headers_say(error.response.headers, kept)
        return f"error {error.status_code} {kept['reason']}"


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
    assert {"chat", "vectors"} <= {model.id for model in client.models.list()}
    try:
        client.chat.completions.create(model="nope", messages=question)
        raise AssertionError("an unknown model was answered")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error
    return "fine"


def warm_up(call, route):
    """Two good answers: what comes then is the fault's doing, also on a connection that was used before."""
    put([])
    for _ in range(2):
        said = call(route)
        assert said == "tier 0 PRIMARY_HEALTHY", (route, said)


for row in rows:
    answers = {}
    for name, call in (("plain", plain), ("stream", stream)):
        warm_up(call, row[name])
        put(row["faults"])
        answers[name] = seen(call, row[name])
    print(json.dumps({"id": row["id"], **answers}), flush=True)
put([])
print(json.dumps({"features": features()}))
