"""The text of generated Elixir modules and assets: different everywhere, the same at every run."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["asset", "module", "names", "script_or_style"]

CONTEXTS = (
    "Accounts Billing Catalog Checkout Content Delivery Events Feedback Identity Inventory Ledger "
    "Messaging Notices Orders Partners Payroll Pricing Reports Search Support"
).split()
NOUNS = (
    "Account Address Agent Balance Basket Booking Campaign Charge Claim Comment Contract Coupon "
    "Courier Dispute Document Draft Entry Feature Invoice Label Message Offer Parcel Payment "
    "Permission Plan Profile Quote Receipt Refund Review Route Schedule Session Shipment Supplier "
    "Ticket Transfer Visit Voucher"
).split()
FIELDS = (
    "amount balance category channel code comment country currency discount due email handle "
    "height kind language length limit locale note number origin owner phone position price "
    "priority quantity rate reason reference region score shelf source street tax title token "
    "total unit weight width zone"
).split()
STATES = (
    "draft open pending accepted rejected queued running paused done failed archived expired "
    "locked shipped returned settled"
).split()
VERBS = (
    "submit accept reject queue start pause finish fail archive expire lock ship return settle"
).split()
WORDS = (
    "the a every no another this order customer until before after unless cannot must may be is "
    "was changed sent paid found missing valid again already without with its own later first "
    "second known shown hidden open closed warehouse country office number"
).split()


def names(namespace: str, count: int) -> list[str]:
    """So many module names below a namespace, grouped as contexts are."""
    return [
        f"{namespace}.{CONTEXTS[at % len(CONTEXTS)]}.{NOUNS[at // len(CONTEXTS) % len(NOUNS)]}"
        f"{at // (len(CONTEXTS) * len(NOUNS)) or ''}"
        for at in range(count)
    ]


def module(name: str, calls: Sequence[str], encoder: str | None = None) -> str:
    """A struct with what such modules do: build, validate, move on, describe, parse, sum up.

    `calls` are modules that it calls at run time; `encoder` is a protocol that it implements. The
    line `@revision 0` is there to be changed.
    """
    draw = random.Random(name)
    fields = draw.sample(FIELDS, draw.randint(5, 9))
    states = draw.sample(STATES, draw.randint(4, 7))
    verbs = draw.sample(VERBS, len(states) - 1)
    lines = [
        f'@moduledoc "{_sentence(draw).capitalize()}."',
        "",
        "@revision 0",
        f"defstruct [:id, {', '.join(f':{field}' for field in fields)}, status: :{states[0]}]",
        "",
        "@doc false",
        "def revision, do: @revision",
        "",
        *_build(fields),
        *(line for field in fields[:5] for line in _validate(draw, field)),
        "defp check(_, _), do: :ok",
        "",
        *(
            f"def move(%__MODULE__{{status: :{before}}} = it, :{verb}), "
            f"do: {{:ok, %{{it | status: :{after}}}}}"
            for before, verb, after in zip(states, verbs, states[1:], strict=False)
        ),
        *(
            f'def move(%__MODULE__{{status: :{state}}}, _), do: {{:error, "{_sentence(draw)}"}}'
            for state in states
        ),
        "",
        *(
            f'def describe(%__MODULE__{{status: :{state}}} = it), do: "{_sentence(draw)}: '
            f'#{{it.{field}}}, #{{it.id}}"'
            for state, field in zip(states, fields, strict=False)
        ),
        'def describe(%__MODULE__{id: id}), do: "#{id}"',
        "",
        *(
            f'def parse("{field}=" <> rest, found), do: [{{:{field}, String.trim(rest)}} | found]'
            for field in fields
        ),
        "def parse(_, found), do: found",
        "",
        f"def total(all), do: Enum.reduce(all, 0, &(&2 + (&1.{fields[0]} || 0)))",
        "",
        *(f"def peer({at}), do: {peer}.revision()" for at, peer in enumerate(calls)),
        f"def peer(_), do: {draw.randrange(1 << 30)}",
    ]
    if encoder:
        lines += [
            "",
            f"defimpl {encoder} do",
            f"  def encode(it), do: [to_string(it.{fields[0]}), ?,, {name}.describe(it)]",
            "end",
        ]
    return _block(f"defmodule {name} do", lines)


def asset(name: str, size: int) -> bytes:
    """What an image or a font is to a compressor."""
    return random.Random(name).randbytes(size)


def script_or_style(name: str, size: int) -> bytes:
    """What a minified script or style sheet is to a compressor."""
    draw = random.Random(name)
    text = []
    length = 0
    while length < size:
        line = f"{draw.choice(FIELDS)}{draw.randrange(4096):x}{{{_sentence(draw)}:{draw.random()}}}"
        text.append(line)
        length += len(line)
    return "".join(text)[:size].encode()


def _build(fields: Sequence[str]) -> list[str]:
    return [
        "def new(attributes) do",
        "  it = struct(__MODULE__, attributes)",
        "  case Enum.reject(Map.to_list(it), fn {key, value} -> check(key, value) == :ok end) do",
        "    [] -> {:ok, it}",
        "    wrong -> {:error, Keyword.keys(wrong)}",
        "  end",
        "end",
        "",
        f"def fields, do: ~w({' '.join(fields)})a",
        "",
    ]


def _validate(draw: random.Random, field: str) -> list[str]:
    least, most = draw.randrange(10), draw.randrange(100, 10_000)
    return [
        f"defp check(:{field}, value) when is_integer(value) and value in {least}..{most}, do: :ok",
        f"defp check(:{field}, value) when is_integer(value), "
        f'do: {{:error, "{_sentence(draw)} {least}"}}',
    ]


def _sentence(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(4, 11)))


def _block(head: str, lines: Sequence[str]) -> str:
    body = "".join(f"  {line}\n" if line else "\n" for line in lines)
    return f"{head}\n{body}end\n"
