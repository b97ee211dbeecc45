"""Prints every text of a JSON list in the encodings that tools use, as one JSON list a text."""

import base64
import json
import shlex
import sys
import urllib.parse


def forms(text):
    raw = text.encode()
    return [
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        shlex.quote(text).strip("'"),
        urllib.parse.quote(text),
        urllib.parse.quote(text, safe=""),
        urllib.parse.quote_plus(text),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ]


print(json.dumps([forms(text) for text in json.load(sys.stdin)]))
