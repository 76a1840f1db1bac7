"""An answer as its page shows it: its words, its ways on, and whether its markup is harmless."""

from __future__ import annotations

from html.parser import HTMLParser

_ARMED = {"base", "embed", "iframe", "img", "link", "meta", "object", "script", "style", "video"}
_LEADING = {"href", "src", "action", "formaction", "xlink:href", "hx-get", "hx-post"}


class Bubble(HTMLParser):
    """The last answer (`article[data-answer]`) of a page.

    `offers` names the buttons that send something and the links that look like buttons, `verdict`
    is the badge's outcome ("" without one) and `fee` the neuron of the receipt (None without), and
    `armed` is what a browser would run, load or be led away by.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.offers: list[str] = []
        self.armed: list[str] = []
        self.verdict = ""
        self.fee: int | None = None
        self._words: list[str] = []
        self._depth = 0
        self._offer: list[str] | None = None  # the words of the open button
        self._is_cost = False
        self.feed(html[html.rindex("<article") :])
        self.close()

    @property
    def text(self) -> str:
        return " ".join("".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self._depth += tag == "article"
        if not self._depth:
            return
        self.armed += _armed(tag, known)
        self.verdict = known.get("data-outcome", self.verdict)
        self._is_cost |= "receipt__cost" in known.get("class", "")
        if tag == "data" and self._is_cost and self.fee is None:
            self.fee = int(known["value"])
        is_link = tag == "a" and "button" in known.get("class", "").split()
        if (is_link and "download" not in known) or (tag, known.get("type")) == _SUBMIT:
            self._offer = [known.get("aria-label", "")]

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "article"
        if tag in ("button", "a") and self._offer is not None:
            self.offers.append(" ".join("".join(self._offer).split()))
            self._offer = None

    def handle_data(self, data: str) -> None:
        if self._depth:
            self._words.append(data)
            if self._offer is not None:
                self._offer.append(data)


_SUBMIT = ("button", "submit")


def _armed(tag: str, known: dict[str, str]) -> list[str]:
    names = [name for name in known if name.startswith(("on", "hx-on", "style"))]
    targets = [known[name] for name in _LEADING & set(known) if not _is_fine(known[name])]
    is_ours = tag == "script" and known.get("src", "").startswith("/static/")
    return [*([tag] if tag in _ARMED and not is_ours else []), *names, *targets]


def _is_fine(target: str) -> bool:
    return target.startswith(("/", "http://", "https://", "mailto:", "#")) or not target
