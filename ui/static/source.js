// The evidence beside an answer: opening a quote, walking through quotes, leafing through its document.
(() => {
  "use strict";
  const { $, $$, say, t, fragment } = window.wenju;
  const mobile = window.wenju.narrow;
  let opener = null, hint = null;

  const panel = () => $("#wj-panel");
  const cardOf = (key) => $(`[data-source="${CSS.escape(key)}"]`);

  function toMark(card) {
    const original = $(".wj-original", card), mark = $("mark", original);
    if (mark) original.scrollTop = mark.getBoundingClientRect().top - original.getBoundingClientRect().top - original.clientHeight / 4;
  }

  function open(key) {
    const card = cardOf(key);
    if (!card || !panel()) return null;
    const copy = card.cloneNode(true);
    copy.removeAttribute("data-source");
    $(".wj-sheet", panel()).replaceChildren(copy);
    panel().dataset.now = key;
    panel().removeAttribute("data-empty");
    $("[data-place]", panel()).textContent = card.dataset.place;
    $$("[data-step]", panel()).forEach((step) => { step.disabled = !neighbour(key, Number(step.dataset.step)); });
    document.body.toggleAttribute("data-source-open", true);
    $$(".wj-cite").forEach((cite) => cite.classList.toggle("wj-open", cite.dataset.cite === key));
    toMark(copy);
    return copy;
  }

  // Only what the reader asked for is read out; a source that opens by itself must not drown the answer.
  function visit(key, focus) {
    const copy = open(key);
    if (!copy) return;
    if (focus) $("h2", copy).focus({ preventScroll: true });
    say(`${t("source_at")} ${$("[data-place]", panel()).textContent}：${$("h2", copy).textContent}`);
  }

  function neighbour(key, step) {
    const [turn, number] = key.split("-").map(Number);
    return cardOf(`${turn}-${number + step}`);
  }

  function empty() {
    panel().setAttribute("data-empty", "");
    $("[data-place]", panel()).textContent = "";
    $(".wj-sheet", panel()).replaceChildren(hint);
    document.body.removeAttribute("data-source-open");
  }

  function close() {
    document.body.removeAttribute("data-source-open");
    $$(".wj-cite.wj-open").forEach((cite) => cite.classList.remove("wj-open"));
    const back = opener && $(`[data-cite="${CSS.escape(opener)}"]`);
    if (back) back.focus();
  }

  async function leaf(button) {
    const card = button.closest("article"), key = panel().dataset.now;
    const place = $(".wj-part", card);
    if (!button.dataset.part) {
      place.replaceChildren(...$(".wj-part", cardOf(key)).cloneNode(true).childNodes);
      toMark(card);
    } else {
      const [start, end] = button.dataset.part.split("-");
      const { document: id, start: from, end: to } = card.dataset;
      const found = await fragment(`/${encodeURIComponent(id)}/part?start=${start}&end=${end}&quote_start=${from}&quote_end=${to}`, place);
      if (found) $(".wj-original", place).scrollTop = 0;
    }
    $(".wj-original", place)?.focus({ preventScroll: true });
    say($(".wj-path", place)?.textContent ?? "");
  }

  document.addEventListener("click", (event) => {
    const hit = (selector) => event.target.closest(selector);
    let on;
    if ((on = hit("button[data-cite]"))) {
      opener = on.dataset.cite;
      visit(opener, true);
    } else if ((on = hit("[data-step]"))) {
      const [turn, number] = panel().dataset.now.split("-").map(Number);
      visit(`${turn}-${number + Number(on.dataset.step)}`, false);
    } else if ((on = hit("[data-part]"))) leaf(on);
    else if (hit("[data-close]")) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.hasAttribute("data-source-open")) close();
  });

  window.wenju.source = {
    start() { hint = $(".wj-sheet").firstElementChild; }, empty,
    first(turn) { if (!mobile() && cardOf(`${turn}-1`)) open(`${turn}-1`); },
  };
})();
